# SPDX-License-Identifier: Apache-2.0
"""Which VLAN ids may a new network have? Neutron's own driver, less what a pod has not let go of.

Takes the place of ``vlan`` in ``[ml2] type_drivers``; the type of its networks is ``vlan``.
"""

import random
from typing import Any

from neutron.db import segments_db
from neutron.plugins.ml2.drivers import type_vlan
from neutron_lib import exceptions
from neutron_lib.db import api as db_api
from neutron_lib.plugins.ml2 import api

from tricircle.model.quarantine import What
from tricircle_neutron import quarantine


class VlanTypeDriver(type_vlan.VlanTypeDriver):
    """The ML2 type driver ``tricircle_vlan``."""

    def __init__(self) -> None:
        super().__init__()
        self.segmentation_obj = _FreeAllocations(self.segmentation_obj)

    def allocate_fully_specified_segment(self, context: Any, **raw_segment: Any) -> Any:
        """Stock, but for an id that a pod still has. :raises VlanIdInUse: Neutron's own 409."""
        with db_api.CONTEXT_WRITER.using(context):
            allocation = super().allocate_fully_specified_segment(context, **raw_segment)
            if allocation is not None and _is_held_now(allocation):
                raise exceptions.VlanIdInUse(vlan_id=allocation.vlan_id, physical_network=allocation.physical_network)
        return allocation

    def release_segment(self, context: Any, segment: Any) -> None:
        """Stock, and the id waits for the pods that have the network."""
        with db_api.CONTEXT_WRITER.using(context):
            super().release_segment(context, segment)
            quarantine.network_leaves(
                context.session,
                segment[api.PHYSICAL_NETWORK],
                segment[api.SEGMENTATION_ID],
                segment[segments_db.NETWORK_ID],
            )


class _FreeAllocations:
    """Neutron's table of VLAN ids, in which those that a pod still has cannot be taken."""

    def __init__(self, stock: Any) -> None:
        self._stock = stock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stock, name)

    def get_random_unallocated_segment(self, context: Any, **filters: Any) -> Any:
        """Any one that is free, or None."""
        with db_api.CONTEXT_READER.using(context):
            held = quarantine.seen_held(context.session, What.VLAN)
            chosen = self._stock.get_random_unallocated_segment(context, **filters)
            if chosen is None or not _is_in(chosen, held):
                return chosen
            # All rows are read only when the choice fell on one that is held.
            free = [
                row for row in self._stock.get_all_unallocated_segments(context, **filters) if not _is_in(row, held)
            ]
        return random.choice(free) if free else None

    def allocate(self, context: Any, **segment: Any) -> int:
        """Take one: 1, or 0 when it is taken or held."""
        with db_api.CONTEXT_WRITER.using(context):
            count = int(self._stock.allocate(context, **segment))
            if count and quarantine.held_now(What.VLAN, segment["physical_network"], {str(segment["vlan_id"])}):
                self._stock.deallocate(context, **segment)
                return 0
        return count


def _is_held_now(allocation: Any) -> bool:
    return bool(quarantine.held_now(What.VLAN, allocation.physical_network, {str(allocation.vlan_id)}))


def _is_in(allocation: Any, held: set[tuple[str, str]]) -> bool:
    return (allocation.physical_network, str(allocation.vlan_id)) in held
