# SPDX-License-Identifier: Apache-2.0
"""Do fake pods fall ill as they are told? What they answer in health is tested in ``tests/contract``."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tricircle.testing.ailments import Ailment, Symptom
from tricircle.testing.identities import Identities
from tricircle.testing.keystone import Keystone
from tricircle.testing.listener import Listener, ThreadedListener
from tricircle.testing.pods import FakePod
from tricircle.testing.service import FakeService

LIST = "/volume/v3/volumes"


@pytest.fixture
def identities() -> Identities:
    made = Identities()
    made.add_user("demo", "secret", {"demo": ["member", "reader"]})
    made.add_user("admin", "secret", {"admin": ["admin"]})
    return made


@pytest.fixture
def pod(identities: Identities) -> FakePod:
    return FakePod("Pod1", identities)


@pytest.fixture
async def listener(pod: FakePod) -> AsyncIterator[Listener]:
    async with Listener(pod) as running:
        yield running


@pytest.fixture
async def session(identities: Identities) -> AsyncIterator[aiohttp.ClientSession]:
    token = identities.sign_in("demo", "secret", "demo")
    async with aiohttp.ClientSession(headers={"X-Auth-Token": token}) as running:
        yield running


async def test_a_well_pod_answers(listener: Listener, session: aiohttp.ClientSession, pod: FakePod) -> None:
    async with session.get(listener.url + LIST) as answer:
        assert (answer.status, await answer.json()) == (200, {"volumes": []})
    assert pod.calls("block-storage") == [("GET", "/v3/volumes")]
    assert pod.calls("compute") == []


async def test_an_illness_concerns_the_services_that_have_it(
    listener: Listener, session: aiohttp.ClientSession, pod: FakePod
) -> None:
    pod.fall_ill(Ailment(symptom=Symptom.FAILING, status=503), ["block-storage"])
    async with session.get(listener.url + LIST) as answer:
        assert answer.status == 503
        assert "serviceUnavailable" in await answer.json()
    async with session.get(listener.url + "/compute/v2.1/servers") as answer:
        assert answer.status == 200
    pod.fall_ill(None)
    async with session.get(listener.url + LIST) as answer:
        assert answer.status == 200


async def test_a_silent_service_lets_the_caller_wait(
    listener: Listener, session: aiohttp.ClientSession, pod: FakePod
) -> None:
    pod.fall_ill(Ailment(symptom=Symptom.SILENT))
    with pytest.raises(asyncio.TimeoutError):
        await session.get(listener.url + LIST, timeout=aiohttp.ClientTimeout(total=0.2))


async def test_a_silent_service_may_have_done_its_work(
    listener: Listener, session: aiohttp.ClientSession, pod: FakePod
) -> None:
    pod.fall_ill(Ailment(symptom=Symptom.SILENT, is_carried_out=True, only=lambda asked: asked.method == "POST"))
    with pytest.raises(asyncio.TimeoutError):
        await session.post(listener.url + LIST, json={"volume": {"size": 1}}, timeout=aiohttp.ClientTimeout(total=0.2))
    async with session.get(listener.url + LIST) as answer:
        assert len((await answer.json())["volumes"]) == 1


async def test_a_slow_service_answers_late(listener: Listener, session: aiohttp.ClientSession, pod: FakePod) -> None:
    pod.fall_ill(Ailment(symptom=Symptom.SLOW, delay_s=0.2))
    started = asyncio.get_running_loop().time()
    async with session.get(listener.url + LIST) as answer:
        assert (answer.status, await answer.json()) == (200, {"volumes": []})
    assert asyncio.get_running_loop().time() - started >= 0.2


async def test_a_cut_answer_ends_in_the_middle(
    listener: Listener, session: aiohttp.ClientSession, pod: FakePod
) -> None:
    pod.fall_ill(Ailment(symptom=Symptom.CUT))
    with pytest.raises(aiohttp.ClientError):
        async with session.get(listener.url + LIST) as answer:
            await answer.read()


async def test_garbage_is_a_page(listener: Listener, session: aiohttp.ClientSession, pod: FakePod) -> None:
    pod.fall_ill(Ailment(symptom=Symptom.GARBAGE))
    async with session.get(listener.url + LIST) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")


async def test_a_port_that_refuses_and_accepts_again(listener: Listener, session: aiohttp.ClientSession) -> None:
    port = listener.port
    await listener.refuse()
    with pytest.raises(aiohttp.ClientConnectorError):
        await session.get(f"http://127.0.0.1:{port}{LIST}")
    await listener.accept()
    assert listener.port == port
    async with session.get(listener.url + LIST) as answer:
        assert answer.status == 200


async def test_refusing_drops_open_connections(
    listener: Listener, session: aiohttp.ClientSession, pod: FakePod
) -> None:
    pod.fall_ill(Ailment(symptom=Symptom.SILENT))
    waiting = asyncio.ensure_future(session.get(listener.url + LIST))
    while not pod.calls("block-storage"):
        await asyncio.sleep(0.01)
    await listener.refuse()
    with pytest.raises(aiohttp.ClientError):
        await waiting


def test_one_glance_for_two_pods(identities: Identities) -> None:
    first = FakePod("Pod1", identities)
    second = FakePod("Pod2", identities, glance=first.glance)
    image_id = first.glance.add("cirros", b"data", identities.projects["admin"].id)
    assert second.cinder.has_image(image_id)


async def test_keystone_issues_validates_and_revokes(identities: Identities) -> None:
    keystone = Keystone(identities)
    keystone.add_region("RegionOne", urls={"volumev3": "http://c/v3/%(project_id)s"})
    user = {"name": "demo", "password": "secret", "domain": {"id": "default"}}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "demo", "domain": {"id": "default"}}},
        }
    }
    async with Listener(FakeService(keystone, identities, "")) as running, aiohttp.ClientSession() as session:
        url = f"{running.url}/v3/auth/tokens"
        async with session.post(url, json=body) as answer:
            assert answer.status == 201
            token = answer.headers["X-Subject-Token"]
            issued = (await answer.json())["token"]
        endpoint = issued["catalog"][0]["endpoints"][0]
        assert endpoint["url"] == f"http://c/v3/{issued['project']['id']}"
        headers = {"X-Auth-Token": identities.sign_in("admin", "secret", "admin"), "X-Subject-Token": token}
        async with session.get(url, headers=headers) as answer:
            assert (await answer.json())["token"]["user"]["name"] == "demo"
        identities.revoke(token)
        async with session.get(url, headers=headers) as answer:
            assert answer.status == 404
        user["password"] = "wrong"
        async with session.post(url, json=body) as answer:
            assert answer.status == 401


def test_tokens_end() -> None:
    now = [1000.0]
    identities = Identities(clock=lambda: now[0], ttl_s=60)
    identities.add_user("demo", "secret", {"demo": ["member"]})
    token = identities.sign_in("demo", "secret", "demo")
    assert identities.of(token) is not None
    now[0] += 61
    assert identities.of(token) is None


def test_a_thread_of_its_own(pod: FakePod, identities: Identities) -> None:
    import requests

    with ThreadedListener(pod) as listener, requests.Session() as session:
        session.trust_env = False
        assert session.get(f"{listener.url}/compute/").status_code == 200
        assert session.get(f"{listener.url}/elsewhere").status_code == 404
