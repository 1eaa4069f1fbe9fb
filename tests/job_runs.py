# SPDX-License-Identifier: Apache-2.0
"""What a worker tells the body of a job, for tests that call one themselves."""

from collections.abc import Mapping

from tricircle.context import Deadline, PodId, ProjectId
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType


def job_run(
    job_type: JobType,
    resource_id: str,
    pod_id: PodId,
    project_id: str = "demo",
    *,
    payload: Mapping[str, object] | None = None,
    seconds: float = 10,
) -> JobRun:
    """One job, which may take so many seconds; it is about no certain revision."""
    return JobRun(
        type=job_type,
        resource_id=resource_id,
        pod_id=pod_id,
        project_id=ProjectId(project_id),
        revision=None,
        payload=payload or {},
        deadline=Deadline.after(seconds),
    )
