# SPDX-License-Identifier: Apache-2.0
"""Do jobs follow a change at the centre, whatever goes down?"""

import pytest

from tests.unit.road.scripted import json_reply, request
from tests.unit.road.two_pods import world
from tricircle.errors import OutcomeUnknownError, UnavailableError
from tricircle.model.job import JobType
from tricircle.road.row import Behaviour, Row
from tricircle.upstream.reply import Call, Reply


async def test_declare_files_jobs_when_the_centre_said_yes() -> None:
    """And none when it said no."""
    there = world()
    row = Row(("DELETE",), "/flavors/{flavor_id}", Behaviour.DECLARE, jobs=((JobType.FLAVOR, "flavor_id"),))
    asked = request("DELETE", "/flavors/f1", params={"flavor_id": "f1"})
    assert (await there.carrier.declare(asked, row)).status == 404
    assert (there.jobs.filed, there.jobs.later) == ([], {})
    there.upstreams.said["central", "/v2.1/flavors/f1"] = json_reply(202, {})
    await there.carrier.declare(asked, row)
    assert (there.jobs.filed, there.jobs.later) == ([(JobType.FLAVOR, "f1", "p1")], {})
    assert there.jobs.delays == {321}, "as long as a request may be under way, the job would see what was before"


async def test_a_change_at_the_centre_has_its_job_whatever_goes_down() -> None:
    """Without the database nothing is sent; when it goes away, or the centre, the job filed before is there."""
    there = world()
    job = (JobType.FLAVOR, "f1", "p1")
    asked = request("DELETE", "/flavors/f1")
    there.jobs.is_away = True
    with pytest.raises(UnavailableError):
        await there.carrier.central_with_jobs(asked, [job[:2]])
    assert there.upstreams.calls == []

    def delete(_call: Call) -> Reply:
        there.jobs.is_away = True
        return json_reply(202, {})

    there.jobs.is_away = False
    there.upstreams.said["central", "/v2.1/flavors/f1"] = delete
    assert (await there.carrier.central_with_jobs(asked, [job[:2]])).status == 202
    assert (there.jobs.filed, list(there.jobs.later.values())) == ([], [job])

    there.jobs.is_away = False
    there.upstreams.said["central", "/v2.1/flavors/f1"] = OutcomeUnknownError("no answer")
    with pytest.raises(OutcomeUnknownError):
        await there.carrier.central_with_jobs(asked, [job[:2]])
    assert list(there.jobs.later.values()) == [job, job]
