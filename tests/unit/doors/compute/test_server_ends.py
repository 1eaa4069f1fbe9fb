# SPDX-License-Identifier: Apache-2.0
"""What does a client hear when the pod has done what was asked and the database is gone in the next moment?"""

from contextlib import suppress
from types import SimpleNamespace

import pytest

from tricircle.doors.compute.servers.down_cells import DownCells
from tricircle.doors.compute.servers.interfaces import Interfaces
from tricircle.doors.compute.servers.servers import ServerEnds
from tricircle.errors import OutcomeUnknownError, TricircleError, UnavailableError
from tricircle.http.message import Answer
from tricircle.upstream.reply import Reply

LATER_S = 321.0
SERVER = SimpleNamespace(project_id="demo", id=1, central_id="server1")


class Jobs:
    """A queue whose database goes away after some jobs."""

    def __init__(self, lasts: int) -> None:
        self.lasts = lasts
        self.delays: list[float] = []
        self.withdrawn: list[int] = []

    async def withdraw(self, job_id: int) -> None:
        self.withdrawn.append(job_id)

    async def append(self, *_what: object, delay_s: float = 0, **_more: object) -> int:
        if len(self.delays) == self.lasts:
            raise UnavailableError("The database is away.")
        self.delays.append(delay_s)
        return len(self.delays)


class PodThatAgrees:
    """The carrier: a pod that does what it is asked, and remembers that it was."""

    def __init__(self, says: Exception | int = 202) -> None:
        self.asked = 0
        self.says = says

    async def locate(self, *_what: object) -> SimpleNamespace:
        return SimpleNamespace(pod=SimpleNamespace(id="pod1"), routing=SERVER)

    async def route(self, *_what: object) -> Answer:
        self.asked += 1
        return Answer(status=204)

    async def to_pod(self, *_what: object, **_more: object) -> Reply:
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return Reply(status=self.says, headers=[], body=b"")

    async def answer(self, _request: object, _pod: object, reply: Reply) -> Answer:
        return Answer(status=reply.status)


class NoCopies:
    """Routings that know no port."""

    async def copy_in(self, *_what: object) -> None:
        return None


class LostBooks:
    """Routings in a database that is away."""

    async def update(self, *_what: object, **_more: object) -> bool:
        raise UnavailableError("The database is away.")


async def end(pod: PodThatAgrees, jobs: Jobs) -> Answer:
    params = {"server_id": "server1"}
    request = SimpleNamespace(params=params, context=None, method="DELETE", path="/v2.1/servers/server1")
    down = DownCells(carrier=pod, routings=LostBooks())  # type: ignore[arg-type]
    return await ServerEnds(carrier=pod, jobs=jobs, down=down, in_flight_s=LATER_S).end(request, None)  # type: ignore[arg-type]


async def detach(pod: PodThatAgrees, jobs: Jobs) -> Answer:
    request = SimpleNamespace(params={"server_id": "server1", "port_id": "port1"}, context=None)
    nobody = SimpleNamespace()
    here = {"carrier": pod, "nics": nobody, "ports": nobody, "routings": NoCopies(), "jobs": jobs, "policy": nobody}
    interfaces = Interfaces(**here, in_flight_s=LATER_S)  # type: ignore[arg-type]
    return await interfaces.detach(request)  # type: ignore[arg-type]


@pytest.mark.parametrize(("act", "status"), [(end, 204), (detach, 202)])
async def test_the_pods_yes_is_the_answer(act: object, status: int) -> None:
    pod, jobs = PodThatAgrees(), Jobs(lasts=1)
    answer = await act(pod, jobs)  # type: ignore[operator]
    assert answer.status == status
    # The job that was filed before the call does the rest.
    assert jobs.delays == [LATER_S]


@pytest.mark.parametrize("act", [end, detach])
async def test_the_precaution_goes_as_soon_as_the_job_is_filed(act: object) -> None:
    jobs = Jobs(lasts=2)
    await act(PodThatAgrees(), jobs)  # type: ignore[operator]
    assert jobs.delays[0] == LATER_S
    assert jobs.delays[1] < 5
    assert jobs.withdrawn == [1]


@pytest.mark.parametrize("act", [end, detach])
async def test_without_the_precaution_nothing_is_sent(act: object) -> None:
    pod = PodThatAgrees()
    with pytest.raises(UnavailableError):
        await act(pod, Jobs(lasts=0))  # type: ignore[operator]
    assert pod.asked == 0


@pytest.mark.parametrize(
    ("says", "is_over"),
    [(UnavailableError("not sent"), True), (404, True), (500, False), (OutcomeUnknownError("no answer"), False)],
)
async def test_nobody_waits_for_a_detach_that_did_not_happen(says: Exception | int, is_over: bool) -> None:
    """What may have happened is looked after by the job that was filed before the call."""
    jobs = Jobs(lasts=9)
    with suppress(TricircleError):
        await detach(PodThatAgrees(says), jobs)
    assert jobs.withdrawn == ([1] if is_over else [])
    assert jobs.delays == [LATER_S]
