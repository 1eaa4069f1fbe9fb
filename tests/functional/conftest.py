# SPDX-License-Identifier: Apache-2.0
"""What do tests on the lab share: the region, a project of its own for every module, and networking by itself."""

from collections.abc import AsyncIterator, Iterator

import pytest
import requests

from lab.topology import load_lab
from tests.functional.network_world import World, open_world
from tests.functional.region_world import ROOT, WATCHES, ZONES, Json, Region, unique
from tests.functional.tenants import Tenant
from tests.schemas.checker import Checker

_figures: list[str] = []


@pytest.fixture(scope="session")
def schemas() -> Iterator[Checker]:
    """Holds every answer of a door against the services' own schemas and Tempest's."""
    checker = Checker(load_lab(ROOT))

    def watch(verb: str, service: str, answer: requests.Response, sent: object) -> None:
        checker.check(verb, service, answer.url, answer.status_code, answer.headers, answer.content, sent)

    WATCHES.append(watch)
    yield checker
    WATCHES.remove(watch)
    _figures.extend(checker.summary())
    checker.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was held against schemas."""
    for line in _figures:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def names() -> Iterator[None]:
    """Sees to it that no answer of a door says what a service of a pod calls itself."""
    own = [url.partition("://")[2] for pod in load_lab(ROOT).pods for url in pod.own_names.values()]

    def watch(verb: str, service: str, answer: requests.Response, _sent: object) -> None:
        said = answer.content.decode("utf-8", "replace") + str(answer.headers)
        assert not [name for name in own if name in said], f"{verb} {answer.url} ({service}) names a pod: {said[:2000]}"

    WATCHES.append(watch)
    yield
    WATCHES.remove(watch)


@pytest.fixture(scope="session")
def region(schemas: Checker, names: None) -> Region:
    """The running lab, with its pods registered; without a lab these tests must fail."""
    opened = Region()
    opened.registered()
    return opened


@pytest.fixture(scope="module")
def tenant(region: Region) -> Iterator[Tenant]:
    """A project of the module's own; nothing is left of it anywhere."""
    made = Tenant(region)
    yield made
    made.sweep()


@pytest.fixture(scope="module")
def flavor(region: Region) -> Iterator[Json]:
    """A small flavor of the centre."""
    name = unique("fn-flavor")
    made = region.admin.make("compute", "flavors", "flavor", name=name, id=name, ram=64, vcpus=1, disk=1)
    yield made
    assert region.admin.delete("compute", f"/flavors/{made['id']}") == 202


@pytest.fixture(scope="session")
def image_id(region: Region) -> str:
    """The image that the lab puts at the centre."""
    return region.image_id()


@pytest.fixture(scope="module")
def servers(tenant: Tenant, flavor: Json, image_id: str) -> dict[str, str]:
    """A server in every pod."""
    made = {pod: tenant.booted(zone, flavorRef=flavor["id"], imageRef=image_id) for pod, zone in ZONES.items()}
    for server_id in made.values():
        assert tenant.active(server_id)["status"] == "ACTIVE"
    return made


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """The centre and two pods as tests of networking see them, with a worker of the test's own."""
    async with open_world() as opened:
        yield opened
