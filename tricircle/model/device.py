# SPDX-License-Identifier: Apache-2.0
"""What volumes does a pod make for a new server by itself? Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVolume:
    """One volume that is made when a server is.

    :ivar size_gib: 0 when the request names none: it is as large as its snapshot then
    :ivar type_name: the central name of the type that is asked for; None: the source or the default decides
    :ivar snapshot_id: what it is made of, or None
    :ivar image_id: what it is made of, or None; a volume with neither is blank
    """

    size_gib: int = 0
    type_name: str | None = None
    snapshot_id: str | None = None
    image_id: str | None = None
