# SPDX-License-Identifier: Apache-2.0
"""``openstack multiregion networking adoption observe|create|delete``"""

import argparse
from typing import Any

from osc_lib.command import command

from tricircle_osc.v1.columns import ADOPTION_COLUMNS, DIFFERENCE_COLUMNS, row


def _options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("network", metavar="<network-id>", help="Network at the centre (ID)")
    parser.add_argument("--pod", metavar="<pod>", required=True, help="Pod that has the other network (name or ID)")
    parser.add_argument("--pod-network", metavar="<id>", required=True, help="Network in the pod (ID there)")
    return parser


def _values(client: Any, parsed_args: argparse.Namespace) -> dict[str, str]:
    return {
        "network_id": parsed_args.network,
        "pod_name": client.pod(parsed_args.pod)["pod_name"],
        "pod_network_id": parsed_args.pod_network,
    }


class ObserveAdoption(command.Lister):
    """Compare a network of a pod with one of the centre, and list what differs and which addresses the pod uses"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        return _options(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """POST /adoptions/observe."""
        client = self.app.client_manager.tricircle
        found = client.create("/adoptions/observe", "adoption", _values(client, parsed_args))
        lines = [
            *found["differences"],
            *(
                {
                    "what": f"address {one['ip_address']}",
                    "centre": one["held_by"],
                    "pod": one["device_owner"] or one["pod_port_id"],
                    "is_obstacle": False,
                    "advice": "",
                }
                for one in found["addresses"]
            ),
        ]
        return DIFFERENCE_COLUMNS, [row(line, DIFFERENCE_COLUMNS) for line in lines]


class CreateAdoption(command.ShowOne):
    """Use a network of a pod for one of the centre; nothing in the pod is changed"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        return _options(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """POST /adoptions."""
        client = self.app.client_manager.tricircle
        made = client.create("/adoptions", "adoption", _values(client, parsed_args))
        shown = {**made, "addresses": [one["ip_address"] for one in made["addresses"]]}
        return ADOPTION_COLUMNS, row(shown, ADOPTION_COLUMNS)


class DeleteAdoption(command.Command):
    """Use a network of a pod no more; it stays as it is"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("adoption", metavar="<adoption-id>", nargs="+", help="Adoptions to end (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """DELETE /adoptions/{id}."""
        self.app.client_manager.tricircle.delete_each("/adoptions", parsed_args.adoption)
