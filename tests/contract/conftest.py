# SPDX-License-Identifier: Apache-2.0
"""Against whom does the contract suite run? The fake pod always, the lab's pods when ``-m lab`` asks for them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.contract.cloud import Caller, Cloud, eventually, open_lab, unique

PODS = [
    "fake",
    pytest.param("pod1", marks=pytest.mark.lab),
    pytest.param("pod2", marks=pytest.mark.lab),
]


@pytest.fixture(scope="session", params=PODS)
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """One pod, with a flavor of the suite's own and an image that its Nova can boot."""
    with ExitStack() as stack:
        if request.param == "fake":
            from tests.contract.fake import open_fake

            opened = stack.enter_context(open_fake())
        else:
            opened = open_lab(request.param)
        yield opened
        opened.admin("DELETE", "compute", f"/v2.1/flavors/{opened.flavor_id}")


Undo = Callable[[Caller, str, str], None]


@pytest.fixture
def undo() -> Iterator[Undo]:
    """``undo(caller, service, path)``: DELETE this when the test is over, last first, whatever became of it.

    What is still used (400 from Cinder, 409 from others) is tried again: deletions take their time.
    """
    paths: list[tuple[Caller, str, str]] = []
    yield lambda caller, service, path: paths.append((caller, service, path))
    for caller, service, path in reversed(paths):
        with suppress(AssertionError):
            eventually(
                lambda c=caller, s=service, p=path: c("DELETE", s, p).status_code,
                lambda code: code not in (400, 409),
                seconds=30,
            )


@pytest.fixture
def boot(cloud: Cloud, undo: Undo) -> Callable[..., str]:
    """``boot(**fields)``: an ACTIVE server of the tenant's, without a port unless ``networks`` says otherwise."""

    def boot_one(*, wait: bool = True, version: str = "2.96", **fields: object) -> str:
        body = {
            "name": unique("server"),
            "flavorRef": cloud.flavor_id,
            "imageRef": cloud.image_id,
            "networks": "none",
            **fields,
        }
        headers = {"OpenStack_API_Version": f"compute {version}"}
        server = cloud.tenant.good("POST", "compute", "/v2.1/servers", {"server": body}, **headers)["server"]
        undo(cloud.tenant, "compute", f"/v2.1/servers/{server['id']}")
        if wait:
            wait_active(cloud, server["id"])
        return str(server["id"])

    return boot_one


def wait_active(cloud: Cloud, server_id: str) -> dict[str, object]:
    """The server once it is ACTIVE."""
    return eventually(
        lambda: cloud.tenant.good("GET", "compute", f"/v2.1/servers/{server_id}")["server"],
        lambda server: server["status"] == "ACTIVE",
    )


@pytest.fixture
def volume(cloud: Cloud, undo: Undo) -> Callable[..., dict[str, object]]:
    """``volume(**fields)``: a volume of the tenant's of 1 GiB, available."""

    def make(**fields: object) -> dict[str, object]:
        body = {"volume": {"size": 1, "name": unique("volume"), **fields}}
        made = cloud.tenant.good("POST", "block-storage", "/v3/volumes", body)["volume"]
        path = f"/v3/volumes/{made['id']}"
        undo(cloud.tenant, "block-storage", path)
        return eventually(
            lambda: cloud.tenant.good("GET", "block-storage", path)["volume"],
            lambda seen: seen["status"] == "available",
        )

    return make


@pytest.fixture(scope="module")
def network(cloud: Cloud) -> Iterator[dict[str, str]]:
    """A network of the tenant's with one subnet, 10.77.0.0/24: ``{"id", "subnet_id"}``."""
    made = cloud.tenant.good("POST", "network", "/v2.0/networks", {"network": {"name": unique("net")}})["network"]
    body = {"subnet": {"network_id": made["id"], "ip_version": 4, "cidr": "10.77.0.0/24", "name": unique("sub")}}
    subnet = cloud.tenant.good("POST", "network", "/v2.0/subnets", body)["subnet"]
    yield {"id": made["id"], "subnet_id": subnet["id"]}
    cloud.tenant("DELETE", "network", f"/v2.0/networks/{made['id']}")


@pytest.fixture
def port(cloud: Cloud, undo: Undo, network: dict[str, str]) -> Callable[..., dict[str, object]]:
    """``port(**fields)``: a port on ``network``, made by the operator for the tenant, as the gateway does."""

    def make(**fields: object) -> dict[str, object]:
        body = {"port": {"network_id": network["id"], "project_id": cloud.tenant.project_id, **fields}}
        made = cloud.admin.good("POST", "network", "/v2.0/ports", body)["port"]
        undo(cloud.admin, "network", f"/v2.0/ports/{made['id']}")
        return dict(made)

    return make
