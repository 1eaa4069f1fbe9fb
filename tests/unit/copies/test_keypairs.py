# SPDX-License-Identifier: Apache-2.0
"""Has a user the same key under the same name in every pod?"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.job_runs import job_run
from tests.unit.doors.compute.cloud import Cloud, cloud, json_of
from tricircle.context import Deadline, PodId, RequestContext
from tricircle.copies.keypairs import Keypairs, routing_id
from tricircle.errors import UnavailableError
from tricircle.model.job import JobType
from tricircle.model.routing import Kind


@pytest.fixture
async def sky(tmp_path: Path) -> AsyncIterator[Cloud]:
    """A centre and two pods."""
    made = await cloud(tmp_path)
    yield made
    await made.engine.dispose()


async def central(sky: Cloud, key: str = "AAAA", name: str = "k") -> dict[str, Any]:
    """The user's key pair at the centre, made anew."""
    await sky.ask("DELETE", f"/os-keypairs/{name}", version="2.92")
    body = {"keypair": {"name": name, "type": "ssh", "public_key": f"ssh-ed25519 {key} x"}}
    answer = await sky.ask("POST", "/os-keypairs", body, version="2.92")
    assert answer.status in (200, 201), answer.body
    found: dict[str, Any] = json_of(await sky.ask("GET", f"/os-keypairs/{name}", version="2.92"))["keypair"]
    return found


async def ensure(sky: Cloud, keypair: dict[str, Any]) -> RequestContext:
    pod = await sky.registry.get(PodId("pod1"))
    assert pod is not None
    context = sky.context()
    await Keypairs(sky.reach).ensure(pod, context, keypair, Deadline.after(5))
    return context


def in_pod(sky: Cloud) -> dict[str, str]:
    stored = sky.apps["pod1"].nova.keypairs.stored
    return {name: pair["public_key"] for (_, name), pair in stored.items()}


async def agree(sky: Cloud, context: RequestContext) -> None:
    run = job_run(JobType.KEYPAIR, routing_id(context.user_id, "k"), PodId("pod1"), "p", seconds=5)
    await Keypairs(sky.reach).agree(run)


async def test_a_key_is_copied_once(sky: Cloud) -> None:
    keypair = await central(sky)
    await ensure(sky, keypair)
    assert in_pod(sky) == {"k": "ssh-ed25519 AAAA x"}
    asked = len(sky.wires.calls)
    await ensure(sky, keypair)
    assert sky.wires.calls[asked:] == []


async def test_another_key_under_the_name_is_replaced(sky: Cloud) -> None:
    await ensure(sky, await central(sky))
    await ensure(sky, await central(sky, "BBBB"))
    assert in_pod(sky) == {"k": "ssh-ed25519 BBBB x"}


async def test_a_deleted_key_goes_from_the_pods(sky: Cloud) -> None:
    context = await ensure(sky, await central(sky))
    await agree(sky, context)
    assert "k" in in_pod(sky), "what the centre still has stays"
    await sky.ask("DELETE", "/os-keypairs/k", version="2.92")
    await agree(sky, context)
    assert in_pod(sky) == {}
    assert await sky.routings.copies_of(Kind.KEYPAIR, routing_id(context.user_id, "k")) == []


async def test_a_key_made_again_is_removed_until_the_next_boot(sky: Cloud) -> None:
    context = await ensure(sky, await central(sky))
    await central(sky, "BBBB")
    await agree(sky, context)
    assert in_pod(sky) == {}


async def test_a_copy_that_a_job_works_on_keeps_its_row(sky: Cloud) -> None:
    """Without the row two would work on one copy."""
    context = await ensure(sky, await central(sky))
    (copy,) = await sky.routings.copies_of(Kind.KEYPAIR, routing_id(context.user_id, "k"))
    lease = await sky.reach.leases.hold(copy, owner="job", ttl_s=60)
    assert lease is not None
    changed = await central(sky, "BBBB")
    with pytest.raises(UnavailableError):
        await ensure(sky, changed)
    assert not await sky.routings.forget_free(copy.id)
    assert in_pod(sky) == {"k": "ssh-ed25519 AAAA x"}
    await sky.reach.leases.release(lease)
    await ensure(sky, changed)
    assert in_pod(sky) == {"k": "ssh-ed25519 BBBB x"}
