# SPDX-License-Identifier: Apache-2.0
"""``openstack multiregion networking routing list|show``"""

import argparse
from typing import Any

from osc_lib.command import command

from tricircle_osc.v1.columns import ROUTING_COLUMNS, ROUTING_LIST_COLUMNS, ROUTING_LONG_COLUMNS, row

Shown = tuple[tuple[str, ...], tuple[Any, ...]]


class ListRouting(command.Lister):
    """List which resource is in which pod under which id, newest first"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--long", action="store_true", help="List additional fields")
        parser.add_argument("--top-id", metavar="<id>", help="Only of this resource (ID at the centre)")
        parser.add_argument("--bottom-id", metavar="<id>", help="Only of this resource (ID in the pod)")
        parser.add_argument(
            "--resource-type", metavar="<type>", help="Only of this type: server, volume, network, subnet, port, ..."
        )
        parser.add_argument("--pod", "--pod-id", metavar="<pod>", dest="pod", help="Only in this pod (name or ID)")
        parser.add_argument(
            "--project", "--project-id", metavar="<project-id>", dest="project", help="Only of this project (ID)"
        )
        parser.add_argument("--limit", metavar="<number>", type=int, help="At most this many")
        parser.add_argument("--marker", metavar="<routing-id>", help="The last routing of the page before")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """GET /routings."""
        client = self.app.client_manager.tricircle
        query = {
            "top_id": parsed_args.top_id,
            "bottom_id": parsed_args.bottom_id,
            "resource_type": parsed_args.resource_type,
            "pod_id": client.pod_id(parsed_args.pod) if parsed_args.pod else None,
            "project_id": parsed_args.project,
            "limit": parsed_args.limit,
            "marker": parsed_args.marker,
        }
        columns = ROUTING_LONG_COLUMNS if parsed_args.long else ROUTING_LIST_COLUMNS
        return columns, [row(one, columns) for one in client.records("/routings", "routings", query)]


class ShowRouting(command.ShowOne):
    """Show a routing, with its details and who works on it"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("routing", metavar="<routing-id>", help="Routing to show (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """GET /routings/{id}."""
        found = self.app.client_manager.tricircle.show("/routings", "routing", parsed_args.routing)
        return ROUTING_COLUMNS, row(found, ROUTING_COLUMNS)
