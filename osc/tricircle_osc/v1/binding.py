# SPDX-License-Identifier: Apache-2.0
"""``openstack multiregion networking binding create|delete|list|show``"""

import argparse
from typing import Any

from osc_lib.command import command

from tricircle_osc.v1.columns import BINDING_COLUMNS, BINDING_LIST_COLUMNS, row

Shown = tuple[tuple[str, ...], tuple[Any, ...]]


class CreateBinding(command.ShowOne):
    """Bind a project to a pod beforehand"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--project", metavar="<project-id>", required=True, help="ID of the project")
        parser.add_argument("--pod", metavar="<pod>", required=True, help="Pod (name or ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """POST /bindings."""
        client = self.app.client_manager.tricircle
        values = {"tenant_id": parsed_args.project, "pod_id": client.pod_id(parsed_args.pod)}
        binding = client.create("/bindings", "pod_binding", values)
        return BINDING_COLUMNS, row(binding, BINDING_COLUMNS)


class DeleteBinding(command.Command):
    """Remove bindings; what the project has in the pod stays"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("binding", metavar="<binding-id>", nargs="+", help="Binding(s) to remove (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """DELETE /bindings/{id} for each."""
        self.app.client_manager.tricircle.delete_each("/bindings", parsed_args.binding)


class ListBinding(command.Lister):
    """List bindings of projects to pods"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--project", metavar="<project-id>", help="Only bindings of this project (ID)")
        parser.add_argument("--pod", metavar="<pod>", help="Only bindings to this pod (name or ID)")
        parser.add_argument("--limit", metavar="<number>", type=int, help="At most this many")
        parser.add_argument("--marker", metavar="<binding-id>", help="The last binding of the page before")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """GET /bindings."""
        client = self.app.client_manager.tricircle
        query = {
            "tenant_id": parsed_args.project,
            "pod_id": client.pod_id(parsed_args.pod) if parsed_args.pod else None,
            "limit": parsed_args.limit,
            "marker": parsed_args.marker,
        }
        bindings = client.records("/bindings", "pod_bindings", query)
        return BINDING_LIST_COLUMNS, [row(binding, BINDING_LIST_COLUMNS) for binding in bindings]


class ShowBinding(command.ShowOne):
    """Show a binding"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("binding", metavar="<binding-id>", help="Binding to show (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """GET /bindings/{id}."""
        binding = self.app.client_manager.tricircle.show("/bindings", "pod_binding", parsed_args.binding)
        return BINDING_COLUMNS, row(binding, BINDING_COLUMNS)
