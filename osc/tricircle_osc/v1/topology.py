# SPDX-License-Identifier: Apache-2.0
"""``openstack multiregion networking topology show``"""

import argparse
import re
from collections.abc import Iterator, Mapping
from typing import Any

from osc_lib import exceptions
from osc_lib.command import command

from tricircle_osc.v1.columns import PIECE_COLUMNS, row

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class ShowTopology(command.Lister):
    """Show which pods hold which pieces of a network, in which state, and what is still to be done"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("network", metavar="<network>", help="Network to show (name, or ID at the centre)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """GET /topologies/{network_id}."""
        manager = self.app.client_manager
        network_id = find_network(manager, parsed_args.network)
        found = manager.tricircle.show("/topologies", "topology", network_id)
        return PIECE_COLUMNS, [row(piece, PIECE_COLUMNS) for piece in pieces(found)]


def find_network(manager: Any, name_or_id: str) -> str:
    """The id of a network. One that the centre has deleted has no name any more: an id is taken as it is.

    :param manager: openstackclient's; names are asked of the Network API, as its own commands do
    :raises osc_lib.exceptions.CommandError: no network has the name, or several
    """
    if _UUID.fullmatch(name_or_id):
        return name_or_id
    found = [str(network.id) for network in manager.network.networks(name=name_or_id)]
    if not found:
        message = f"No network with the name or id '{name_or_id}'."
        raise exceptions.CommandError(message)
    if len(found) > 1:
        message = f"{len(found)} networks have the name '{name_or_id}'. Name one by its id: {', '.join(sorted(found))}."
        raise exceptions.CommandError(message)
    return found[0]


def pieces(topology: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One record for every piece: pod by pod, then what is in no pod, and at last jobs that are about none of them."""
    told: set[object] = set()
    for pod in topology["pods"]:
        for piece in pod["pieces"]:
            told.update(piece["jobs"])
            yield {
                **piece,
                "pod_name": pod["pod_name"] or pod["pod_id"],
                "az_name": pod["az_name"],
                "pod_state": pod["state"],
                "in_pod": piece["pod_resource_id"],
                "addresses": piece.get("ip_addresses") or [word for word in (piece.get("gateway_ip"),) if word],
            }
    for piece in topology["in_no_pod"]:
        told.update(piece["jobs"])
        yield {**piece, "pod_name": "-", "state": "at the centre only"}
    for job in topology["jobs"]:
        if job["id"] not in told:
            yield {
                "pod_name": job["pod_name"] or job["pod_id"] or "-",
                "resource_type": job["type"],
                "id": ", ".join(map(str, job["resource"].values())),
                "state": "to be done",
                "jobs": [job["id"]],
            }
