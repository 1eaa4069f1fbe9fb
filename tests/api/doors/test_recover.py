# SPDX-License-Identifier: Apache-2.0
"""What does a recovery conclude from a pod that is sick? Nothing."""

from collections.abc import Callable

import pytest

from tests import mariadb
from tests.api.whole import Whole
from tricircle.app.recovery import recover
from tricircle.model.pod import Service
from tricircle.recovery.report import Did, Report
from tricircle.testing.ailments import Ailment, Symptom
from tricircle.testing.exchange import Asked

Run = Callable[[str], list[tuple[object, ...]]]


@pytest.fixture
def run(server: mariadb.Server, database: str, cloud: Whole) -> Run:
    """One statement on the tables of ours, and its rows."""

    def statement(sql: str) -> list[tuple[object, ...]]:
        with server.connect(database.rpartition("/")[2]) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    return statement


async def recovered(cloud: Whole) -> Report:
    report = Report()
    await recover(cloud.settings, report, is_rehearsal=False)
    return report


async def volumes(cloud: Whole) -> dict[str, str]:
    """One volume in each pod, by pod."""
    made = {}
    for pod, zone in (("Pod1", "az1"), ("Pod2", "az2")):
        body = {"volume": {"size": 1, "availability_zone": zone}}
        said = await cloud.tenant.ask("POST", "/volume/v3/volumes", body)
        assert said.status == 202, said.body
        made[pod] = str(said.json()["volume"]["id"])
    return made


def known(run: Run) -> set[object]:
    return {row[0] for row in run("SELECT central_id FROM tricircle_routings WHERE kind = 'volume'")}


def unread(report: Report) -> set[str]:
    """Pods of which something about volumes or the pod itself could not be read. The fakes have not every list."""
    said = [problem.text for problem in report.problems]
    return {
        text.split(":")[0].removeprefix("Pod ")
        for text in said
        if "what it holds of volume could" in text or "what it holds of" not in text
    }


def lists_of_volumes(asked: Asked) -> bool:
    return asked.method == "GET" and asked.path.endswith("/volumes/detail")


@pytest.mark.parametrize(
    "ailment",
    [
        Ailment(symptom=Symptom.FAILING, status=500, only=lists_of_volumes),
        Ailment(symptom=Symptom.GARBAGE, only=lists_of_volumes),
        Ailment(symptom=Symptom.CUT, only=lists_of_volumes),
    ],
    ids=["fails", "talks nonsense", "breaks off"],
)
async def test_a_list_that_does_not_end_well_removes_nothing(cloud: Whole, run: Run, ailment: Ailment) -> None:
    made = await volumes(cloud)
    run("INSERT INTO tricircle_routings (central_id, kind, pod_id, project_id, pod_resource_id, details, resources, "
        "created_at) SELECT CONCAT('gone-', name), 'volume', id, 'p', CONCAT('gone-', name), '{}', '{}', '2026-01-01' "
        "FROM tricircle_pods WHERE az_name <> ''")  # fmt: skip
    cloud.pods["Pod2"].fall_ill(ailment, ["block-storage"])
    report = await recovered(cloud)
    assert unread(report) == {"Pod2"}
    assert report.counts["Pod1", "volume", Did.REMOVED] == 1
    assert known(run) == {*made.values(), "gone-Pod2"}
    cloud.pods["Pod2"].fall_ill(None)
    assert unread(await recovered(cloud)) == set()
    assert known(run) == set(made.values())


async def test_a_pod_that_is_away_stays_known_and_comes_back(cloud: Whole, run: Run) -> None:
    made = await volumes(cloud)
    pods = run("SELECT id, name, az_name, pod_az_name FROM tricircle_pods WHERE az_name <> '' ORDER BY name")
    for table in ("routings", "bindings", "pod_endpoints", "pods"):
        run(f"DELETE FROM tricircle_{table}")
    cloud.pods["Pod2"].fall_ill(Ailment(symptom=Symptom.FAILING, status=503), ["compute", "network", "block-storage"])
    report = await recovered(cloud)
    assert unread(report) == {"Pod2"}
    assert known(run) == {made["Pod1"]}
    # Nobody may be told that something does not exist as long as Pod2 could have it.
    assert run("SELECT id, name, az_name, pod_az_name FROM tricircle_pods WHERE az_name <> '' ORDER BY name") == pods
    said = await cloud.tenant.ask("GET", f"/volume/v3/volumes/{made['Pod2']}")
    assert said.status == 503
    cloud.pods["Pod2"].fall_ill(None)
    assert unread(await recovered(cloud)) == set()
    assert known(run) == set(made.values())
    rows = run("SELECT p.name, e.max_version FROM tricircle_pod_endpoints e JOIN tricircle_pods p ON p.id = e.pod_id "
               f"WHERE e.service = '{Service.BLOCK_STORAGE}' AND p.az_name <> '' ORDER BY 1")  # fmt: skip
    assert all(version for _name, version in rows)
