# SPDX-License-Identifier: Apache-2.0
"""Which identifiers wait before somebody else may have them, and who still holds them?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tricircle.context import PodId
from tricircle.model.routing import Kind


class What(StrEnum):
    """What waits, and in which scope it is unique."""

    VLAN = "vlan"  # in a physical network
    ADDRESS = "address"  # in a network
    MAC = "mac"  # in a network


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """An identifier that an object at the centre lets go of.

    :ivar kind, central_id: the object whose copies may still have it
    """

    what: What
    scope: str
    value: str
    kind: Kind
    central_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An identifier in quarantine that pods have not let go of.

    :ivar pods: id and name of each pod that holds it
    """

    left: Left
    since: datetime
    pods: Mapping[PodId, str]
