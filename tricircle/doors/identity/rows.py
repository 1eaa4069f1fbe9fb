# SPDX-License-Identifier: Apache-2.0
"""What happens to a call of the identity API? Nothing but narrowing; every row is public, because Keystone judges."""

from tricircle.doors.identity.passage import Passage
from tricircle.http.dialects import Dialect
from tricircle.http.message import Handler
from tricircle.model.pod import Service
from tricircle.road.door import Door
from tricircle.road.row import Behaviour, Row

PREFIX = "/identity"
#: Keystone answers HEAD as GET without the body: what one does not tell, the status of the other must not.
_READ = ("GET", "HEAD")
_ALL = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def _row(methods: tuple[str, ...], path: str, handler: Handler) -> Row:
    return Row(methods, path, Behaviour.CENTRAL, handler=handler, is_public=True)


def rows(passage: Passage) -> tuple[Row, ...]:
    """Rows under the version."""
    seen = passage.about_regions
    return (
        _row((*_READ, "POST"), "/auth/tokens", passage.with_catalog),
        _row(("DELETE",), "/auth/tokens", passage.revoke),
        _row(_READ, "/auth/catalog", passage.with_catalog),
        _row(("POST",), "/ec2tokens", passage.with_catalog),
        _row(("POST",), "/s3tokens", passage.with_catalog),
        _row(
            (*_READ, "POST"),
            "/OS-FEDERATION/identity_providers/{provider_id}/protocols/{protocol_id}/auth",
            passage.with_catalog,
        ),
        _row(_READ, "/regions", seen),
        _row(_READ, "/regions/{region_id}", seen),
        _row(_READ, "/endpoints", seen),
        _row(_READ, "/endpoints/{endpoint_id}", seen),
        _row(_READ, "/limits", seen),
        _row(_READ, "/limits/{limit_id}", seen),
        _row(_READ, "/registered_limits", seen),
        _row(_READ, "/registered_limits/{registered_limit_id}", seen),
        _row(_READ, "/OS-EP-FILTER/{rest...}", seen),
        _row(_READ, "/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints", seen),
        _row(_ALL, "/", passage.forward),
        _row(_ALL, "/{rest...}", passage.forward),
    )


def root_rows(passage: Passage) -> tuple[Row, ...]:
    """The version document, and whatever else Keystone has in front of a version."""
    return (_row(_ALL, "/", passage.forward), _row(_ALL, "/{rest...}", passage.forward))


def door(passage: Passage) -> Door:
    """The identity door."""
    return Door(
        name="identity",
        prefix=PREFIX,
        service=Service.IDENTITY,
        dialect=Dialect.IDENTITY,
        versions=frozenset(("v3",)),
        rows=rows(passage),
        root_rows=root_rows(passage),
    )
