# SPDX-License-Identifier: Apache-2.0
"""Which project may use, and uses, which pod?"""

from dataclasses import dataclass
from datetime import datetime

from tricircle.context import PodId, ProjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A project is bound to a pod; ``are_limits_lifted`` says that its quotas in the pod were set to unlimited."""

    id: str
    project_id: ProjectId
    pod_id: PodId
    are_limits_lifted: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
