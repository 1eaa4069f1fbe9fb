# SPDX-License-Identifier: Apache-2.0
"""What is declared in block storage? The central Cinder answers; copies of types follow what changes."""

from collections.abc import Iterator

from tricircle.doors.block_storage.declared.qos import QosSpecs
from tricircle.doors.block_storage.declared.type_changes import TypeChanges
from tricircle.doors.block_storage.lists import by_version
from tricircle.doors.block_storage.quotas.limits import Limits
from tricircle.model.job import JobType
from tricircle.road.row import Behaviour, Row

_ANY = ("GET", "POST", "PUT", "DELETE")
#: Collections that exist at the centre alone.
_CENTRAL = ("/default-types", "/os-quota-class-sets", "/resource_filters", "/extensions")


def rows(limits: Limits, types: TypeChanges, qos: QosSpecs) -> Iterator[Row]:
    """Types, QoS specs, limits, and what else only the centre holds."""
    yield from _type_rows(types)
    yield from _qos_rows(qos)
    yield from by_version(_group_type_rows(types), "3.11")
    yield Row(("GET",), "/limits", Behaviour.SUM, handler=limits.limits)
    yield Row(("GET",), "/os-quota-sets/{project_id}", Behaviour.SUM, handler=limits.quota_set)
    yield Row(("PUT",), "/os-quota-sets/{project_id}", Behaviour.CENTRAL, handler=limits.change)
    yield Row(("DELETE",), "/os-quota-sets/{project_id}", Behaviour.CENTRAL)
    yield Row(("GET",), "/os-quota-sets/{project_id}/defaults", Behaviour.CENTRAL)
    for path in _CENTRAL:
        yield Row(_ANY, path, Behaviour.CENTRAL)
        yield Row(_ANY, path + "/{rest...}", Behaviour.CENTRAL)


def _type_rows(types: TypeChanges) -> Iterator[Row]:
    follow = ((JobType.VOLUME_TYPE, "type_id"),)
    one, encryption = "/types/{type_id}", "/types/{type_id}/encryption"
    yield Row(("GET", "POST"), "/types", Behaviour.CENTRAL)
    yield Row(("GET",), one, Behaviour.CENTRAL)
    yield Row(("PUT",), one, Behaviour.DECLARE, jobs=follow)
    # Extra specs, encryption, access: all of it is part of what a copy is.
    yield Row(("GET",), one + "/{rest...}", Behaviour.CENTRAL)
    yield Row(("POST", "PUT", "DELETE"), one + "/{rest...}", Behaviour.DECLARE, jobs=follow)
    for verb, path, refusal in (
        ("DELETE", one, "Target volume type is still in use."),
        ("POST", encryption, "Cannot create encryption specs. Volume type in use."),
        ("PUT", encryption + "/{encryption_id}", "Cannot update encryption specs. Volume type in use."),
        ("DELETE", encryption + "/{encryption_id}", "Cannot delete encryption specs. Volume type in use."),
    ):
        yield Row((verb,), path, Behaviour.DECLARE, jobs=follow, handler=types.unless_used(refusal))


def _group_type_rows(types: TypeChanges) -> Iterator[Row]:
    follow = ((JobType.GROUP_TYPE, "group_type_id"),)
    one = "/group_types/{group_type_id}"
    yield Row(("GET", "POST"), "/group_types", Behaviour.CENTRAL)
    yield Row(("GET",), one, Behaviour.CENTRAL)
    yield Row(("PUT",), one, Behaviour.DECLARE, jobs=follow)
    yield Row(("DELETE",), one, Behaviour.DECLARE, jobs=follow, handler=types.unless_grouped)
    yield Row(("GET",), one + "/{rest...}", Behaviour.CENTRAL)
    yield Row(("POST", "PUT", "DELETE"), one + "/{rest...}", Behaviour.DECLARE, jobs=follow)


def _qos_rows(qos: QosSpecs) -> Iterator[Row]:
    yield Row(("GET", "POST"), "/qos-specs", Behaviour.CENTRAL)
    yield Row(("GET",), "/qos-specs/{qos_id}", Behaviour.CENTRAL)
    yield Row(("PUT", "DELETE"), "/qos-specs/{qos_id}", Behaviour.DECLARE, handler=qos.change)
    yield Row(("PUT",), "/qos-specs/{qos_id}/delete_keys", Behaviour.DECLARE, handler=qos.change)
    yield Row(("GET",), "/qos-specs/{qos_id}/associations", Behaviour.CENTRAL)
    # These change something, though Cinder has them as GET.
    for verb in ("associate", "disassociate", "disassociate_all"):
        yield Row(("GET",), f"/qos-specs/{{qos_id}}/{verb}", Behaviour.DECLARE, handler=qos.change)
