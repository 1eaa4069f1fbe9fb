# SPDX-License-Identifier: Apache-2.0
"""What was taken from the queue to be run? Pure."""

from dataclasses import dataclass

from tricircle.context import ProjectId
from tricircle.model.job import Job, JobKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A key that is ours to run, and the rows that the run settles.

    :ivar jobs: oldest id first, never empty; with rows that had used up their attempts before
    :ivar waited_s: how long the oldest of the rows that were due has waited
    """

    key: JobKey
    jobs: tuple[Job, ...]
    token: str
    lease_s: float
    waited_s: float

    @property
    def ids(self) -> tuple[int, ...]:
        """The rows that the run settles, and no others."""
        return tuple(job.id for job in self.jobs)

    @property
    def attempts(self) -> int:
        """Failed attempts so far; rows that had used theirs up and only come along do not count."""
        return max((job.attempts for job in self.jobs if job.failed_at is None), default=0)

    @property
    def last_error(self) -> str | None:
        """Why the newest row that has failed did."""
        return next((job.last_error for job in reversed(self.jobs) if job.last_error), None)

    @property
    def revision(self) -> int | None:
        """The newest revision that any row speaks of."""
        return max((job.revision for job in self.jobs if job.revision is not None), default=None)

    @property
    def payload(self) -> dict[str, object]:
        """What the rows carry; of one name the newest row's value."""
        merged: dict[str, object] = {}
        for job in self.jobs:
            merged.update(job.payload)
        return merged

    @property
    def project_id(self) -> ProjectId:
        """The project that the newest row names."""
        return next((job.project_id for job in reversed(self.jobs) if job.project_id), ProjectId(""))
