# SPDX-License-Identifier: Apache-2.0
"""What happens to a call of the image API?"""

from tricircle.doors.image.images import Images
from tricircle.http.dialects import Dialect
from tricircle.model.pod import Service
from tricircle.road.door import Door
from tricircle.road.row import Behaviour, Row

PREFIX = "/image"
#: Glance takes every minor version in a path for version 2.
_VERSIONS = frozenset(("v2", *(f"v2.{minor}" for minor in range(32))))
_ALL = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def rows(images: Images) -> tuple[Row, ...]:
    """Rows under the version. Image data is streamed in both directions, whatever its size."""
    shown, changed = images.forward, images.change
    return (
        Row(("GET", "POST"), "/images", Behaviour.CENTRAL, handler=shown),
        Row(("GET",), "/images/{image_id}", Behaviour.CENTRAL, handler=shown),
        Row(("PATCH", "DELETE"), "/images/{image_id}", Behaviour.DECLARE, handler=changed),
        Row(("POST",), "/images/{image_id}/actions/{action}", Behaviour.DECLARE, handler=changed),
        Row(("POST",), "/images/{image_id}/members", Behaviour.DECLARE, handler=changed),
        Row(("PUT", "DELETE"), "/images/{image_id}/members/{member_id}", Behaviour.DECLARE, handler=changed),
        Row(("GET", "PUT"), "/images/{image_id}/file", Behaviour.CENTRAL, is_streamed=True),
        Row(("PUT",), "/images/{image_id}/stage", Behaviour.CENTRAL, is_streamed=True),
        Row(_ALL, "/", Behaviour.CENTRAL),
        Row(_ALL, "/{rest...}", Behaviour.CENTRAL),
    )


def root_rows(images: Images) -> tuple[Row, ...]:
    """Version documents, and paths whose version stands in ``Accept``: the same calls as under a version."""
    return (
        Row(("GET", "HEAD"), "/", Behaviour.CENTRAL, is_public=True),
        Row(("GET", "HEAD"), "/versions", Behaviour.CENTRAL, is_public=True),
        *(row for row in rows(images) if row.path != "/"),
    )


def door(images: Images) -> Door:
    """The image door."""
    return Door(
        name="image",
        prefix=PREFIX,
        service=Service.IMAGE,
        dialect=Dialect.IMAGE,
        versions=_VERSIONS,
        rows=rows(images),
        root_rows=root_rows(images),
    )
