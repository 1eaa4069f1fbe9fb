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

    :ivar name: ``compute``, ``block_storage``, ``image``, ``network``, ``identity``; for logs and metrics
    :ivar prefix: first segment of its paths at the gateway, with a leading slash: ``/compute``
    :ivar versions: first segments behind the prefix that ``rows`` are looked up under: ``{"v2.1", "v2"}``
    :ivar root_rows: rows that stand directly under the prefix (version documents): ``/``
    :ivar microversion_type: the service's word in ``OpenStack-API-Version`` (``compute``, ``volume``); None: no
        microversions
    :ivar minimum: lowest microversion, and the one in use when the client names none
    """

    name: str
    prefix: str
    service: Service
    dialect: Dialect
    versions: frozenset[str]
    rows: tuple[Row, ...]
    root_rows: tuple[Row, ...] = ()
    project_in_path: ProjectInPath = ProjectInPath.NONE
    microversion_type: str | None = None
    minimum: str = ""
