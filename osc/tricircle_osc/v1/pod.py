# SPDX-License-Identifier: Apache-2.0
"""``openstack multiregion networking pod create|delete|list|set|show``"""

import argparse
from typing import Any

from osc_lib import exceptions
from osc_lib.cli import parseractions
from osc_lib.command import command

from tricircle_osc.v1.columns import POD_COLUMNS, POD_LIST_COLUMNS, POD_LONG_COLUMNS, row

Shown = tuple[tuple[str, ...], tuple[Any, ...]]


def _add_place_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--availability-zone",
        metavar="<az>",
        dest="az_name",
        help="Availability zone that users see; without it the pod is the central region itself",
    )
    parser.add_argument(
        "--pod-availability-zone",
        metavar="<az>",
        dest="pod_az_name",
        help="Availability zone to pass to the pod (default: none is passed)",
    )
    parser.add_argument("--data-center", metavar="<text>", dest="dc_name", help="Free text: where the pod stands")
    parser.add_argument(
        "--physical-network",
        metavar="<central>=<pod>",
        dest="physical_networks",
        action=parseractions.KeyValueAction,
        help="What the pod calls a physical network of the centre, where it does so otherwise (repeat for several)",
    )


def _given(parsed: argparse.Namespace, *names: str) -> dict[str, Any]:
    return {name: getattr(parsed, name) for name in names if getattr(parsed, name) is not None}


class CreatePod(command.ShowOne):
    """Register a Keystone region as a pod"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--pod-name",
            "--region-name",
            metavar="<region>",
            dest="pod_name",
            required=True,
            help="Name of the pod's region in Keystone",
        )
        _add_place_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """POST /pods."""
        values = _given(parsed_args, "pod_name", "az_name", "pod_az_name", "dc_name", "physical_networks")
        pod = self.app.client_manager.tricircle.create("/pods", "pod", values)
        return POD_COLUMNS, row(pod, POD_COLUMNS)


class DeletePod(command.Command):
    """Remove pods that hold no resources any more"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("pod", metavar="<pod>", nargs="+", help="Pod(s) to remove (name or ID)")
        parser.add_argument(
            "--force",
            action="store_true",
            help="Forget also what they hold: they are disabled, and lost for good. Their VLAN IDs, addresses and MACs "
            "can then be used by others",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """DELETE /pods/{id} for each."""
        client = self.app.client_manager.tricircle
        query = {"force": "true"} if parsed_args.force else None
        client.delete_each("/pods", parsed_args.pod, client.pod_id, query)


class ListPod(command.Lister):
    """List pods"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--long", action="store_true", help="List additional fields")
        parser.add_argument(
            "--availability-zone", metavar="<az>", dest="az_name", help="Only pods of this availability zone"
        )
        parser.add_argument(
            "--state", metavar="<state>", choices=("enabled", "draining", "disabled"), help="Only pods in this state"
        )
        parser.add_argument("--limit", metavar="<number>", type=int, help="At most this many")
        parser.add_argument("--marker", metavar="<pod-id>", help="The last pod of the page before")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """GET /pods."""
        columns = POD_LONG_COLUMNS if parsed_args.long else POD_LIST_COLUMNS
        query = _given(parsed_args, "az_name", "state", "limit", "marker")
        pods = self.app.client_manager.tricircle.records("/pods", "pods", query)
        return columns, [row(pod, columns) for pod in pods]


class SetPod(command.ShowOne):
    """Enable, drain or disable a pod, or move it to another availability zone"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("pod", metavar="<pod>", help="Pod to change (name or ID)")
        state = parser.add_mutually_exclusive_group()
        for option, value, text in (
            ("--enable", "enabled", "Take new resources"),
            ("--drain", "draining", "Serve what is there, take nothing new"),
            ("--disable", "disabled", "Do not ask the pod at all; what it holds answers 503"),
        ):
            state.add_argument(option, dest="state", action="store_const", const=value, help=text)
        _add_place_options(parser)
        parser.add_argument(
            "--no-physical-network",
            action="store_true",
            help="Forget the names that were given before; with --physical-network: those take their place",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """PUT /pods/{id}."""
        values = _given(parsed_args, "state", "az_name", "pod_az_name", "dc_name")
        if parsed_args.physical_networks or parsed_args.no_physical_network:
            values["physical_networks"] = parsed_args.physical_networks or {}
        if not values:
            message = "Nothing to set: name at least one option."
            raise exceptions.CommandError(message)
        client = self.app.client_manager.tricircle
        pod_id = client.pod_id(parsed_args.pod)
        if parsed_args.physical_networks and not parsed_args.no_physical_network:
            before = client.show("/pods", "pod", pod_id).get("physical_networks") or {}
            values["physical_networks"] = {**before, **values["physical_networks"]}
        pod = client.change("/pods", "pod", pod_id, values)
        return POD_COLUMNS, row(pod, POD_COLUMNS)


class ShowPod(command.ShowOne):
    """Show a pod"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("pod", metavar="<pod>", help="Pod to show (name or ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Shown:
        """GET /pods/{id}."""
        client = self.app.client_manager.tricircle
        pod = client.show("/pods", "pod", client.pod_id(parsed_args.pod))
        return POD_COLUMNS, row(pod, POD_COLUMNS)
