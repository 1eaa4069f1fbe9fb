# SPDX-License-Identifier: Apache-2.0
"""What happens to flavors, key pairs, server groups and quotas? Rows."""

from collections.abc import Iterator

from tricircle.doors.compute.declared.declared_changes import KeypairChanges, ServerGroupChanges
from tricircle.doors.compute.quotas.limits import Limits
from tricircle.model.job import JobType
from tricircle.road.row import Behaviour, Row

_FLAVOR_JOB = ((JobType.FLAVOR, "flavor_id"),)
_GROUP_JOB = ((JobType.SERVER_GROUP, "group_id"),)


def flavor_rows() -> Iterator[Row]:
    """Flavors: changes and deletions are followed in the pods by a job."""
    one, specs = "/flavors/{flavor_id}", "/flavors/{flavor_id}/os-extra_specs"
    yield Row(("GET", "POST"), "/flavors", Behaviour.CENTRAL)
    yield Row(("GET",), "/flavors/detail", Behaviour.CENTRAL)
    yield Row(("GET",), one, Behaviour.CENTRAL)
    yield Row(("PUT", "DELETE"), one, Behaviour.DECLARE, jobs=_FLAVOR_JOB)
    yield Row(("POST",), one + "/action", Behaviour.DECLARE, jobs=_FLAVOR_JOB)
    yield Row(("GET",), specs, Behaviour.CENTRAL)
    yield Row(("POST",), specs, Behaviour.DECLARE, jobs=_FLAVOR_JOB)
    yield Row(("GET",), specs + "/{key}", Behaviour.CENTRAL)
    yield Row(("PUT", "DELETE"), specs + "/{key}", Behaviour.DECLARE, jobs=_FLAVOR_JOB)
    yield Row(("GET",), one + "/os-flavor-access", Behaviour.CENTRAL)


def declared_rows(keypairs: KeypairChanges, groups: ServerGroupChanges, limits: Limits) -> Iterator[Row]:
    """Everything else that the centre's own Nova writes down."""
    yield Row(("GET", "POST"), "/os-keypairs", Behaviour.CENTRAL)
    yield Row(("GET",), "/os-keypairs/{name}", Behaviour.CENTRAL)
    yield Row(("DELETE",), "/os-keypairs/{name}", Behaviour.DECLARE, handler=keypairs.delete)
    yield Row(("GET",), "/os-server-groups", Behaviour.CENTRAL, handler=groups.index)
    yield Row(("POST",), "/os-server-groups", Behaviour.CENTRAL)
    yield Row(("GET",), "/os-server-groups/{group_id}", Behaviour.CENTRAL, handler=groups.show)
    yield Row(("DELETE",), "/os-server-groups/{group_id}", Behaviour.DECLARE, jobs=_GROUP_JOB)
    yield Row(("GET", "PUT"), "/os-quota-class-sets/{class_name}", Behaviour.CENTRAL)
    yield Row(("GET", "DELETE"), "/os-quota-sets/{project_id}", Behaviour.CENTRAL)
    yield Row(("PUT",), "/os-quota-sets/{project_id}", Behaviour.CENTRAL, handler=limits.change)
    yield Row(("GET",), "/os-quota-sets/{project_id}/defaults", Behaviour.CENTRAL)
    yield Row(("GET",), "/os-quota-sets/{project_id}/detail", Behaviour.SUM, handler=limits.detail)
