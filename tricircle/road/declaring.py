# SPDX-License-Identifier: Apache-2.0
"""How do the jobs that follow a change at the centre survive whatever happens beside it?"""

import logging
from collections.abc import Awaitable, Callable, Iterable

from tricircle.context import ProjectId
from tricircle.errors import TricircleError
from tricircle.http.message import Answer
from tricircle.model.job import JobType
from tricircle.road.needs import JobFiles

LOG = logging.getLogger(__name__)

#: Characters of the longest id of anything that a job can be about.
_LONGEST_ID = 320


async def with_jobs(
    files: JobFiles,
    jobs: Iterable[tuple[JobType, str]],
    project_id: ProjectId,
    change: Callable[[], Awaitable[Answer]],
    *,
    later_s: float,
) -> Answer:
    """What the centre says to ``change``; when it said yes, these jobs (type, resource id) follow in the pods.

    They are filed before the call as well, for later, in case this process does not live to file them afterwards,
    or cannot; as soon as the others are filed, or nothing changed, those are withdrawn.

    :param later_s: seconds until a job runs that was filed before the change that it is about: longer than the change
        takes, or the job would see what was before
    :raises UnavailableError: the database is away: nothing was sent
    """
    # The centre has nothing with an id that is too long to be filed: it says so itself.
    wanted = [(job_type, resource_id) for job_type, resource_id in jobs if len(resource_id) <= _LONGEST_ID]
    early = [await files.append(job_type, resource_id, project_id, delay_s=later_s) for job_type, resource_id in wanted]
    answer = await change()
    try:
        if answer.status < 300:
            for job_type, resource_id in wanted:
                await files.append(job_type, resource_id, project_id)
        if answer.status < 500:
            for job_id in early:
                await files.withdraw(job_id)
    except TricircleError as error:
        LOG.warning("jobs of a change at the centre stay as they were filed before it: %s", error)
    return answer
