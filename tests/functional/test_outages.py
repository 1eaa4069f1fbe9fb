# SPDX-License-Identifier: Apache-2.0
"""What do users see when database, memcached, Keystone or a central service is away, and when it is back?

Everything behind the gateway is real. What has been acknowledged is never lost; what needs nothing of what is away goes
on; nobody is told 401 or 404 because of an outage; nothing has to be restarted.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from tests.functional.outage_world import TOKEN_CACHE_S, Outages, keystone_stopped, outages
from tests.functional.region_world import DOORS, Caller, Json, Region, eventually, ids, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab
#: How long after its return everything must work again: twice the pause between two looks at a service.
BACK_S = 12.0


@pytest.fixture(scope="module")
def world(region: Region, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outages]:
    with outages(Path(tmp_path_factory.mktemp("outages"))) as running:
        yield running


@pytest.fixture(scope="module")
def user(world: Outages, tenant: Tenant) -> Caller:
    """The tenant at the doors of our gateway; no limit stops it."""
    limits = {"quota_set": {"volumes": -1, "gigabytes": -1}}
    tenant.region.admin.good("PUT", "block-storage", f"/os-quota-sets/{tenant.project_id}", limits)
    limits = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    tenant.region.admin.good("PUT", "compute", f"/os-quota-sets/{tenant.project_id}", limits)
    return _at(world, tenant.here)


@pytest.fixture(scope="module")
def server(user: Caller, tenant: Tenant, flavor: Json, image_id: str, world: Outages) -> str:
    """A server in each zone's first pod that runs."""
    made = tenant.booted("az1", flavorRef=flavor["id"], imageRef=image_id)
    tenant.active(made)
    return made


@pytest.fixture(autouse=True)
def nothing_restarted(world: Outages) -> Iterator[None]:
    yield
    for gate in world.gates.values():
        gate.open()
    assert world.are_alive


def _at(world: Outages, caller: Caller) -> Caller:
    return replace(caller, roots={service: world.front + path for service, path in DOORS.items()})


def _unavailable(answer: requests.Response) -> None:
    assert answer.status_code == 503, (answer.request.method, answer.url, answer.status_code, answer.text)
    assert int(answer.headers["Retry-After"]) > 0


def _new(after: dict[str, list[str]], before: dict[str, list[str]]) -> dict[str, set[str]]:
    """What there was not before; what of earlier tests is just going does not count."""
    return {place: more for place, found in after.items() if (more := set(found) - set(before.get(place, ())))}


def _works(call: Callable[[], requests.Response], what: str) -> None:
    eventually(call, lambda answer: answer.status_code < 300, what, BACK_S)


def _volume(user: Caller, zone: str = "az1", **fields: object) -> requests.Response:
    body = {"size": 1, "name": unique(), "availability_zone": zone, **fields}
    return user("POST", "block-storage", "/volumes", {"volume": body})


def test_database_gone_and_back(
    world: Outages, user: Caller, tenant: Tenant, server: str, flavor: Json, image_id: str
) -> None:
    boot = {"name": "b", "flavorRef": flavor["id"], "imageRef": image_id, "networks": "none"}
    assert user("GET", "compute", f"/servers/{server}").status_code == 200
    with world.gates["database"].shut_for_a_while():
        _unavailable(_volume(user))
        _unavailable(user("POST", "compute", "/servers", {"server": {**boot, "availability_zone": "az1"}}))
        # What is known to this process and what needs no rows of ours goes on.
        assert user("GET", "compute", f"/servers/{server}").status_code == 200
        assert server in ids(user.list("compute", "servers/detail"))
        assert user("GET", "network", "/networks").status_code == 200
        assert user("GET", "compute", "/flavors").status_code == 200
        assert user("GET", "image", "/images").status_code == 200
        time.sleep(3)  # longer than the pods that are known are believed without a look
        assert server in ids(user.list("compute", "servers/detail"))
    _works(lambda: _volume(user), "a volume is made again")
    _works(lambda: user("POST", "compute", "/servers", {"server": boot}), "a server is made again")


class Maker(threading.Thread):
    """Makes things of one kind until told to end.

    :ivar made: ids of those that were acknowledged
    :ivar refused: names of those that were not made, as was said
    """

    def __init__(self, make: Callable[[str], requests.Response], ends: threading.Event) -> None:
        super().__init__()
        self._make, self._ends = make, ends
        self.made: list[str] = []
        self.refused: list[str] = []
        self.strange: list[str] = []

    def run(self) -> None:
        while not self._ends.is_set():
            name = unique("ack")
            answer = self._make(name)
            if answer.status_code == 202:
                self.made.append(next(iter(answer.json().values()))["id"])
            elif answer.status_code == 503:
                self.refused.append(name)
            elif answer.status_code != 504:
                self.strange.append(f"{answer.status_code} {answer.text}")


def test_whatever_was_acknowledged_is_there(
    world: Outages, user: Caller, tenant: Tenant, flavor: Json, image_id: str
) -> None:
    """The database comes and goes while volumes and servers are made."""

    def boot(name: str) -> requests.Response:
        body = {"name": name, "flavorRef": flavor["id"], "imageRef": image_id, "networks": "none"}
        return user("POST", "compute", "/servers", {"server": body})

    ends = threading.Event()
    volumes, servers = Maker(lambda name: _volume(user, name=name), ends), Maker(boot, ends)
    for one in (volumes, servers):
        one.start()
    for _ in range(3):
        time.sleep(1.5)
        with world.gates["database"].shut_for_a_while():
            time.sleep(0.7)
    time.sleep(1.5)
    ends.set()
    for maker, service, collection in ((volumes, "block-storage", "volumes"), (servers, "compute", "servers")):
        maker.join(90)
        assert not maker.strange
        assert maker.made
        listed = user.list(service, f"{collection}/detail")
        assert set(maker.made) <= set(ids(listed))
        assert not {one["name"] for one in listed} & set(maker.refused)
        for path in [f"/{collection}/{one}" for one in maker.made]:
            assert user("GET", service, path).status_code == 200
            eventually(
                lambda s=service, p=path: user.delete(s, p),  # type: ignore[misc]
                lambda status: status in (202, 204, 404),
                "it can be deleted",
            )
    assert volumes.refused or servers.refused


def test_jobs_are_done_when_the_database_is_back(world: Outages, user: Caller, tenant: Tenant, flavor: Json) -> None:
    """The worker loses its database, gets it back, and does what was filed meanwhile by others."""
    network = tenant.network("10.77.0.0/24")
    booted = tenant.booted(
        "az1", flavorRef=flavor["id"], imageRef=tenant.region.image_id(), networks=[{"uuid": network["id"]}]
    )
    tenant.active(booted)
    with world.gates["database"].shut_for_a_while():
        time.sleep(2)
        # Through the lab's own gateway, which has its database.
        renamed = unique("renamed")
        tenant.here.good("PUT", "network", f"/networks/{network['id']}", {"network": {"name": renamed}})
    inside = tenant.region.pods["Pod1"]
    eventually(
        lambda: [one["name"] for one in inside.list("network", "networks", name=renamed)],
        lambda names: names == [renamed],
        "the copy has the new name",
    )
    tenant.gone("compute", f"/servers/{booted}")


def test_memcached_gone(world: Outages, user: Caller, server: str) -> None:
    with world.gates["memcached"].shut_for_a_while():
        time.sleep(TOKEN_CACHE_S)
        assert user("GET", "compute", f"/servers/{server}").status_code == 200
        assert _volume(user).status_code == 202


def test_keystone_gone(world: Outages, user: Caller, tenant: Tenant, server: str) -> None:
    strange = _at(world, tenant.sign_in())
    time.sleep(TOKEN_CACHE_S)
    assert user("GET", "compute", f"/servers/{server}").status_code == 200
    with keystone_stopped():
        for service, path in (("compute", f"/servers/{server}"), ("network", "/networks"), ("image", "/images")):
            assert user("GET", service, path).status_code == 200
        for service, path in (
            ("compute", f"/servers/{server}"),
            ("network", "/networks"),
            ("block-storage", "/volumes"),
        ):
            _unavailable(strange("GET", service, path))
        _unavailable(user("GET", "identity", "/projects"))
        _unavailable(replace(user, token="nonsense")("GET", "compute", "/servers"))
        time.sleep(TOKEN_CACHE_S + 0.5)
        _unavailable(user("GET", "compute", f"/servers/{server}"))
    _works(lambda: user("GET", "compute", f"/servers/{server}"), "the token is good again")
    _works(lambda: strange("GET", "compute", f"/servers/{server}"), "the other token is good")
    assert replace(user, token="nonsense")("GET", "compute", "/servers").status_code == 401
    _works(lambda: user("GET", "identity", "/auth/catalog"), "the identity door is back")


#: Central service -> what needs it, and what does not.
_NEEDS = {
    "neutron": [("network", "/networks"), ("network", "/ports")],
    "glance": [("image", "/images")],
    "nova": [("compute", "/flavors"), ("compute", "/os-keypairs")],
    "cinder": [("block-storage", "/types")],
}
_OWNED = [("compute", "/servers/detail"), ("block-storage", "/volumes/detail"), ("block-storage", "/snapshots")]


@pytest.mark.parametrize("gone", sorted(_NEEDS))
def test_a_central_service_gone(world: Outages, user: Caller, server: str, gone: str) -> None:
    with world.gates[gone].shut_for_a_while():
        for service, path in _NEEDS[gone]:
            _unavailable(user("GET", service, path))
        others = [pair for name, pairs in _NEEDS.items() if name != gone for pair in pairs]
        for service, path in [*others, *_OWNED, ("compute", f"/servers/{server}")]:
            answer = user("GET", service, path)
            assert answer.status_code == 200, (path, answer.status_code, answer.text)
            assert "OpenStack-Incomplete-AZs" not in answer.headers
        if gone != "cinder":
            assert _volume(user).status_code == 202
        else:
            _unavailable(_volume(user))
    for service, path in _NEEDS[gone]:
        _works(lambda service=service, path=path: user("GET", service, path), f"{path} is back")  # type: ignore[misc]


@pytest.mark.parametrize("gone", ["neutron", "glance", "nova"])
def test_a_boot_without_a_central_service_leaves_nothing(
    world: Outages, user: Caller, tenant: Tenant, flavor: Json, image_id: str, gone: str
) -> None:
    network = tenant.network(f"10.8{len(gone)}.0.0/24")
    before = tenant.traces()
    body = {
        "name": unique("lost"), "flavorRef": flavor["id"], "imageRef": image_id, "availability_zone": "az2",
        "networks": [{"uuid": network["id"]}],
    }  # fmt: skip
    with world.gates[gone].shut_for_a_while():
        answer = user("POST", "compute", "/servers", {"server": body})
        if answer.status_code != 202:
            _unavailable(answer)
            assert not _new(tenant.traces(), before)
    answer = eventually(
        lambda: user("POST", "compute", "/servers", {"server": body}),
        lambda one: one.status_code == 202,
        "boot",
        BACK_S,
    )
    tenant.gone("compute", f"/servers/{answer.json()['server']['id']}")
