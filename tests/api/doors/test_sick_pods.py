# SPDX-License-Identifier: Apache-2.0
"""What do tenants see when a pod is sick? Lists are marked, nothing is slow, 404 and 503 are told apart."""

import time

import pytest

from tests.api.doors.test_volumes import NOBODY, VOLUMES, create, refused
from tests.api.whole import Whole
from tricircle.testing.ailments import Ailment, Symptom

#: Waits are bounded by the list deadline of one second; what a slow machine adds to it is allowed for.
SOON_S = 4.0
MARK = "openstack-incomplete-azs"
SICK = [
    Ailment(symptom=Symptom.SILENT),
    Ailment(symptom=Symptom.SLOW, delay_s=30),
    Ailment(symptom=Symptom.CUT),
    Ailment(symptom=Symptom.FAILING, status=500),
    Ailment(symptom=Symptom.FAILING, status=503),
    Ailment(symptom=Symptom.GARBAGE),
]


@pytest.fixture
async def ids(cloud: Whole) -> dict[str, str]:
    """One volume in each zone."""
    return {zone: (await create(cloud.tenant, availability_zone=zone))["id"] for zone in ("az1", "az2")}


@pytest.mark.parametrize("ailment", SICK, ids=lambda one: f"{one.symptom}-{one.status}")
async def test_a_list_is_marked_incomplete_within_the_deadline(
    cloud: Whole, ids: dict[str, str], ailment: Ailment
) -> None:
    cloud.pods["Pod2"].fall_ill(ailment, ["block-storage"])
    started = time.monotonic()
    said = await cloud.tenant.ask("GET", f"{VOLUMES}/detail")
    assert time.monotonic() - started < SOON_S
    assert said.status == 200
    assert [one["id"] for one in said.json()["volumes"]] == [ids["az1"]]
    assert said.headers[MARK] == "az2"
    assert "Pod2" not in str(said.headers)


async def test_a_pod_that_refuses_connections(cloud: Whole, ids: dict[str, str]) -> None:
    await cloud.ports["Pod2"].refuse()
    said = await cloud.tenant.ask("GET", VOLUMES)
    assert ([one["id"] for one in said.json()["volumes"]], said.headers[MARK]) == ([ids["az1"]], "az2")
    said = await cloud.tenant.ask("GET", f"{VOLUMES}/{ids['az2']}")
    assert said.status == 503
    assert int(said.headers["retry-after"]) > 0
    assert (await cloud.tenant.ask("GET", f"{VOLUMES}/{ids['az1']}")).status == 200


async def test_the_list_is_whole_again_when_the_pod_is_back(cloud: Whole, ids: dict[str, str]) -> None:
    await cloud.ports["Pod2"].refuse()
    for _ in range(4):  # enough to open the breaker
        await cloud.tenant.ask("GET", VOLUMES)
    await cloud.ports["Pod2"].accept()
    until = time.monotonic() + 10
    while True:
        said = await cloud.tenant.ask("GET", VOLUMES)
        if MARK not in said.headers:
            break
        assert time.monotonic() < until
    assert {one["id"] for one in said.json()["volumes"]} == set(ids.values())


async def test_not_found_is_said_only_when_everybody_said_it(cloud: Whole, ids: dict[str, str]) -> None:
    assert (await cloud.tenant.ask("GET", f"{VOLUMES}/{NOBODY}")).status == 404
    await cloud.ports["Pod2"].refuse()
    other = NOBODY.replace("4", "5")
    said = await cloud.tenant.ask("GET", f"{VOLUMES}/{other}")
    assert said.status == 503
    assert (await cloud.tenant.ask("GET", f"{VOLUMES}/{ids['az1']}")).status == 200


async def test_a_create_that_reaches_nobody_leaves_nothing_behind(cloud: Whole) -> None:
    await cloud.ports["Pod2"].refuse()
    said = await refused(cloud.tenant, availability_zone="az2")
    assert said.status == 503
    assert int(said.headers["retry-after"]) > 0
    assert "serviceUnavailable" in said.json()
    assert cloud.pods["Pod2"].cinder.volumes == {}
    assert (await refused(cloud.tenant, availability_zone="az1")).status == 202
    await cloud.ports["Pod2"].accept()
    said = await cloud.tenant.ask("GET", VOLUMES)
    assert len(said.json()["volumes"]) == 1


async def test_a_create_without_an_answer_is_504_and_a_list_shows_what_came_of_it(cloud: Whole) -> None:
    await create(cloud.tenant, availability_zone="az2")
    lost = Ailment(
        symptom=Symptom.CUT,
        is_carried_out=True,
        only=lambda asked: asked.method == "POST" and asked.path.endswith("/volumes"),
    )
    cloud.pods["Pod2"].fall_ill(lost, ["block-storage"])
    said = await refused(cloud.tenant, availability_zone="az2", name="lost")
    assert said.status == 504
    assert "retry-after" not in said.headers
    cloud.pods["Pod2"].fall_ill(None)
    shown = (await cloud.tenant.ask("GET", VOLUMES)).json()["volumes"]
    lost_id = next(one["id"] for one in shown if one["name"] == "lost")
    assert (await cloud.tenant.ask("GET", f"{VOLUMES}/{lost_id}")).status == 200


async def test_a_zone_without_a_pod_that_answers_does_not_harm_the_others(cloud: Whole) -> None:
    cloud.pods["Pod2"].fall_ill(Ailment(symptom=Symptom.SILENT))
    started = time.monotonic()
    await create(cloud.tenant, availability_zone="az1")
    assert time.monotonic() - started < SOON_S


async def test_a_pod_that_is_switched_off(cloud: Whole, ids: dict[str, str]) -> None:
    root = cloud.identities.sign_in("admin", "secret", "admin")
    operator = cloud.operators.having(x_auth_token=root)
    pods = (await operator.ask("GET", "/v1.0/pods")).json()["pods"]
    pod_id = next(one["pod_id"] for one in pods if one["pod_name"] == "Pod2")
    said = await operator.ask("PUT", f"/v1.0/pods/{pod_id}", {"pod": {"state": "disabled"}})
    assert said.status == 200, said.body
    until = time.monotonic() + 5
    while (await cloud.tenant.ask("GET", f"{VOLUMES}/{ids['az2']}")).status != 503:
        assert time.monotonic() < until
    said = await refused(cloud.tenant, availability_zone="az2")
    assert said.status == 503
    listed = await cloud.tenant.ask("GET", VOLUMES)
    assert ([one["id"] for one in listed.json()["volumes"]], listed.headers[MARK]) == ([ids["az1"]], "az2")
    behind = await cloud.tenant.ask("GET", f"{VOLUMES}?marker={ids['az2']}")
    assert behind.status == 200, behind.body


async def test_sums_say_what_they_lack(cloud: Whole, ids: dict[str, str]) -> None:
    await cloud.ports["Pod2"].refuse()
    said = await cloud.tenant.ask("GET", "/volume/v3/limits")
    assert said.json()["limits"]["absolute"]["totalVolumesUsed"] == 1
    assert said.headers[MARK] == "az2"
