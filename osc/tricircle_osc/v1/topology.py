# SPDX-License-Identifier: Apache-2.0
"""``openstack multiregion networking topology show``"""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from osc_lib.command import command

from tricircle_osc.v1.columns import PIECE_COLUMNS, row


class ShowTopology(command.Lister):
    """Show which pods hold which pieces of a network, in which state, and what is still to be done"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("network", metavar="<network-id>", help="Network to show (ID at the centre)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """GET /topologies/{network_id}."""
        found = self.app.client_manager.tricircle.show("/topologies", "topology", parsed_args.network)
        return PIECE_COLUMNS, [row(piece, PIECE_COLUMNS) for piece in pieces(found)]


def pieces(topology: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One record for every piece: pod by pod, and at last what is in no pod."""
    for pod in topology["pods"]:
        for piece in pod["pieces"]:
            yield {
                **piece,
                "pod_name": pod["pod_name"] or pod["pod_id"],
                "az_name": pod["az_name"],
                "in_pod": piece["pod_resource_id"],
                "addresses": piece.get("ip_addresses") or [word for word in (piece.get("gateway_ip"),) if word],
            }
    for piece in topology["in_no_pod"]:
        yield {**piece, "pod_name": "-", "state": "at the centre only"}
