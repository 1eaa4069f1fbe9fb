# SPDX-License-Identifier: Apache-2.0
"""What is a door? One service API: where it stands, in which form it speaks, and its table of rows."""

from dataclasses import dataclass
from enum import StrEnum

from tricircle.http.dialects import Dialect
from tricircle.model.pod import Service
from tricircle.road.row import Row


class ProjectInPath(StrEnum):
    """Whether a client may write a project id between version and resource."""

    NONE = "none"
    OPTIONAL = "optional"  # one that is not the token's is refused with 400, as Nova and Cinder do


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One service API that we speak.

    :ivar name: ``compute``, ``block_storage``, ``image``, ``network``, ``identity``, ``admin``; for logs and metrics
    :ivar prefix: first segment of its paths, with a leading slash: ``/compute``; empty: the door has a listener of its
        own
    :ivar service: whose API it speaks; None is our own
    :ivar versions: first segments behind the prefix that ``rows`` are looked up under: ``{"v2.1", "v2"}``
    :ivar root_rows: rows that stand directly under the prefix (version documents): ``/``
    :ivar project_in_path: whether rows may be asked for with a project id in front
    :ivar has_microversions: whether a version is negotiated; common to all pods in use
    :ivar has_versioned_root: whether the header is read above all versions too, as Cinder does
    :ivar has_project_document: whether a version's document stands below a project too, as Nova's does
    :ivar unversioned: members of ``versions`` under which the service knows no microversions (compute's ``v2``)
    """

    name: str
    prefix: str
    service: Service | None
    dialect: Dialect
    versions: frozenset[str]
    rows: tuple[Row, ...]
    root_rows: tuple[Row, ...] = ()
    project_in_path: ProjectInPath = ProjectInPath.NONE
    has_microversions: bool = False
    has_versioned_root: bool = False
    has_project_document: bool = False
    unversioned: frozenset[str] = frozenset()
