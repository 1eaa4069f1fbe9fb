# SPDX-License-Identifier: Apache-2.0
"""What was seen in a pod, and what about it does not agree? Records only; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tricircle.context import ProjectId
from tricircle.model.routing import Kind


class Part(StrEnum):
    """What belongs to a copy and has no routing of its own."""

    RBAC_POLICY = "rbac_policy"  # shares a network's copy with a project


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One object in a pod.

    :ivar central_id: for owned kinds the id itself; for the others what the mark names, None without a mark
    :ivar project_id: None where the service does not say (attachments, flavors, types)
    :ivar created_at: None where the service does not say
    :ivar body: as the pod sent it
    """

    kind: Kind | Part
    pod_resource_id: str
    central_id: str | None
    project_id: ProjectId | None
    created_at: datetime | None
    body: Mapping[str, object] = field(repr=False)


class What(StrEnum):
    """How something does not agree. The values are stable: they stand in logs, metrics and reports."""

    UNWRITTEN = "unwritten"  # runs in the pod and has no routing: it is written down
    GONE = "gone"  # has a routing and is not in the pod any more: forgotten, a server's ports let go
    MISSING = "missing"  # a copy is not in the pod any more: its job makes it anew where it is needed, or forgets it
    DIFFERS = "differs"  # a copy is not what the centre wants: its job changes it
    OUTLIVED = "outlived"  # a copy whose original is gone at the centre: its job removes it
    ATTEMPT = "attempt"  # somebody began to make a copy and died: its job looks what came of it
    ADOPTABLE = "adoptable"  # our copy without a routing: its job binds it
    ORPHAN = "orphan"  # the same, but the original is gone: its job removes it
    DUPLICATE = "duplicate"  # a second copy of one original: it is deleted when nothing uses it
    SERVERLESS = "serverless"  # a port that the centre gives to a server that is not there, or lost it: let go
    ASTRAY = "astray"  # a port that is bound to the pod as a sub-port, and in no trunk: let go
    UNCOPIED = "uncopied"  # a port that the centre gives to a living server, and the pod has no copy of it: made
    STATUS = "status"  # the centre shows another status of a port or trunk than its copy has: a job writes it
    HOMELESS = "homeless"  # an image that the pod made of a server, and the centre does not have: brought there
    SLICE = "slice"  # addresses that a pod holds of a subnet that it has no copy of: given back
    FOREIGN = "foreign"  # bears our mark and is nobody's copy: reported, never touched
    UNREADABLE = "unreadable"  # not what objects of its kind look like: reported, never touched
    IN_USE = "in_use"  # an orphan or a duplicate that servers use: reported, not touched


#: What it leads to when a pod sends something that its service would not.
MALFORMED = (ValueError, LookupError, TypeError, AttributeError)
#: Where no project is known.
NOBODY = ProjectId("")
#: What is only reported.
REPORTED = frozenset((What.FOREIGN, What.UNREADABLE, What.IN_USE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that does not agree.

    :ivar central_id: of the original; for owned kinds the id itself
    :ivar routing_id: the row that speaks of it, 0 when there is none
    :ivar note: for operators: which fields differ, or why it is foreign
    """

    what: What
    kind: Kind
    central_id: str
    pod_resource_id: str = ""
    project_id: ProjectId = NOBODY
    routing_id: int = 0
    created_at: datetime | None = None
    note: str = ""
