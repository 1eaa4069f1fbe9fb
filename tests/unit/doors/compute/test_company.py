# SPDX-License-Identifier: Apache-2.0
"""Do groups and hints take servers to the pod of others, or away from it?"""

import pytest

from tests.unit.doors.compute.cloud import IMAGE, Cloud, json_of
from tricircle.context import PodId
from tricircle.doors.compute.boots.checks import _beside, _company
from tricircle.doors.compute.boots.choice import Company

ONE, TWO = PodId("pod1"), PodId("pod2")
NONE: frozenset[PodId] = frozenset()


@pytest.mark.parametrize(
    ("policy", "held_by", "company"),
    [
        ("affinity", frozenset({ONE}), Company()),
        ("soft-affinity", None, Company(near=frozenset({ONE}))),
        ("anti-affinity", None, Company(apart=frozenset({ONE}))),
        ("soft-anti-affinity", None, Company(apart=frozenset({ONE}))),
    ],
)
def test_policies_of_groups(policy: str, held_by: frozenset[PodId] | None, company: Company) -> None:
    group, members = {"id": "g", "policy": policy}, frozenset({ONE})
    assert _beside(None, group, members) == held_by
    assert _company(group, members, NONE) == company
    # The first member may be anywhere.
    assert _beside(None, group, NONE) is None
    assert _company(group, NONE, NONE) == Company()


async def boot(sky: Cloud, **hints: object) -> tuple[str, str]:
    """A new server's id and its pod."""
    body = {
        "server": {"name": "s", "flavorRef": "m1", "imageRef": IMAGE, "networks": "none"},
        "os:scheduler_hints": hints,
    }
    server_id = str(json_of(await sky.ask("POST", "/servers", body))["server"]["id"])
    return server_id, next(name for name, app in sky.apps.items() if server_id in app.nova.servers)


async def test_a_different_host_is_in_a_different_pod_if_there_is_one(sky: Cloud) -> None:
    first, where = await boot(sky)
    _, other = await boot(sky, different_host=first)
    assert other != where
    _, beside = await boot(sky, same_host=[first])
    assert beside == where
    # Where servers are in all pods, Nova's own filter decides in one of them.
    second, _ = await boot(sky, different_host=[first])
    assert (await boot(sky, different_host=[first, second]))[0]
    assert (await boot(sky, different_host="3d1ab5ac-2ba3-4c10-a7b0-8a3f7d8b2f4b"))[0]


async def test_hints_about_addresses_of_hosts_are_the_pods_business(sky: Cloud) -> None:
    """``build_near_host_ip`` with ``cidr``: only a pod's scheduler knows addresses of hosts."""
    _, where = await boot(sky, build_near_host_ip="192.0.2.7", cidr="/24")
    (sent,) = sky.wires.sent(where, "POST", "/v2.1/servers")
    assert sent["os:scheduler_hints"] == {"build_near_host_ip": "192.0.2.7", "cidr": "/24"}
