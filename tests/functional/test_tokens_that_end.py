# SPDX-License-Identifier: Apache-2.0
"""Does what was begun with a good token finish when the token ends meanwhile? On a real Keystone, with a real end."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from threading import Event
from urllib.parse import urlsplit

import pytest

from lab.topology import load_lab
from tests.functional.credentials import short_lived, until_ended
from tests.functional.region_world import (
    CONF,
    PATIENCE,
    ROOT,
    VERSIONS,
    Caller,
    Json,
    Region,
    ask,
    at_once,
    eventually,
    unique,
)
from tests.functional.tenants import Tenant
from tricircle.conf.load import load
from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.keystone.session import ServiceTokens
from tricircle.model.pod import Service
from tricircle.upstream.client import Clients
from tricircle.upstream.pool import Pools
from tricircle.upstream.reply import Call, Target

pytestmark = pytest.mark.lab
#: Time enough to begin, and less than any door waits for a body; seconds.
LIFE_S = min(15.0 * PATIENCE, 30.0)


class Begun:
    """A call that a door has let in, and of whose body the second half is not sent yet."""

    def __init__(self, caller: Caller, method: str, service: str, path: str, body: Json) -> None:
        data = json.dumps(body).encode()
        url = urlsplit(caller.roots[service] + path)
        self._rest = data[len(data) // 2 :]
        self._connection = HTTPConnection(url.hostname or "", url.port, timeout=180)
        self._connection.putrequest(method, url.path)
        headers = {
            "X-Auth-Token": caller.token,
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            "OpenStack-API-Version": VERSIONS[service],
        }
        for name, value in headers.items():
            self._connection.putheader(name, value)
        self._connection.endheaders(data[: len(data) // 2])

    def finish(self) -> Json:
        """Send the rest; the body of the answer, which must be 202."""
        self._connection.send(self._rest)
        answer: HTTPResponse = self._connection.getresponse()
        body = answer.read()
        self._connection.close()
        assert answer.status == 202, (answer.status, body)
        found: Json = json.loads(body)
        return found


def uploaded(caller: Caller, image_id: str, last: Event) -> int:
    """The status of an upload that goes on little by little until ``last`` is set: Glance waits for no byte long."""

    def data() -> Iterator[bytes]:
        while not last.wait(0.5):
            yield b"tricircle" * 100
        yield b"."

    headers = {"X-Auth-Token": caller.token, "Content-Type": "application/octet-stream"}
    return ask("PUT", f"{caller.roots['image']}/images/{image_id}/file", headers=headers, data=data()).status_code


def test_what_was_begun_in_time_is_finished(tenant: Tenant, flavor: Json, image_id: str, region: Region) -> None:
    """A boot from a new volume, a volume, the image of a server and an upload: each was let in with a good token. It
    has ended when services behind the door are asked for the first three, and while Glance reads the fourth.
    """
    network, here = tenant.network("10.93.0.0/24"), tenant.here
    older = tenant.booted("az2", flavorRef=flavor["id"], imageRef=image_id)
    assert tenant.active(older)["status"] == "ACTIVE"
    declared = {"name": unique(), "disk_format": "raw", "container_format": "bare"}
    upload = here.good("POST", "image", "/images", declared)["id"]
    caller = short_lived(tenant, LIFE_S)
    disk = {"uuid": image_id, "source_type": "image", "destination_type": "volume", "volume_size": 1, "boot_index": 0}
    server = {
        "name": unique(), "flavorRef": flavor["id"], "availability_zone": "az2", "networks": [{"uuid": network["id"]}],
        "block_device_mapping_v2": [{**disk, "delete_on_termination": True}],
    }  # fmt: skip
    volume = {"size": 1, "name": unique(), "availability_zone": "az1", "imageRef": image_id}
    snapshot = {"createImage": {"name": unique(), "metadata": {}}}
    begun = (
        Begun(caller, "POST", "compute", "/servers", {"server": server}),
        Begun(caller, "POST", "block-storage", "/volumes", {"volume": volume}),
        Begun(caller, "POST", "compute", f"/servers/{older}/action", snapshot),
    )
    ended = Event()
    with ThreadPoolExecutor(1) as beside:
        uploading = beside.submit(uploaded, caller, upload, ended)
        try:
            until_ended(region, caller)
        finally:
            ended.set()
    assert uploading.result() == 204
    answers = at_once([one.finish for one in begun])
    booted, made, taken = answers[0]["server"]["id"], answers[1]["volume"]["id"], answers[2]["image_id"]
    assert caller("GET", "compute", "/servers").status_code == 401
    assert tenant.active(booted)["status"] == "ACTIVE"
    assert [one["id"] for one in here.list("network", "ports", device_id=booted)]
    assert tenant.reached("block-storage", f"/volumes/{made}", "volume", "available")["status"] == "available"
    for image in (taken, upload):
        look = partial(here.good, "GET", "image", f"/images/{image}")
        eventually(look, lambda seen: seen["status"] == "active", image)
        assert here.delete("image", f"/images/{image}") == 204


def test_work_for_a_user_outlives_the_token(tenant: Tenant, region: Region) -> None:
    """User and service token together are good after the user's has ended; alone it is not."""
    caller = short_lived(tenant)
    assert caller("GET", "network", "/networks").status_code == 200
    until_ended(region, caller)
    assert caller("GET", "network", "/networks").status_code == 401
    asyncio.run(_work(caller))


async def _work(caller: Caller) -> None:
    lab, settings = load_lab(ROOT), load(["--config-file", str(CONF)], prog="test")
    pools, tokens = Pools(settings.upstream), ServiceTokens(settings)
    context = RequestContext(
        request_id="req-00000000-0000-4000-8000-000000000000",
        token=caller.token,
        user_id=caller.user_id,
        project_id=ProjectId(caller.project_id),
        roles=frozenset({"member"}),
        deadline=Deadline.after(30),
    )
    places = {"central": lab.url("neutron"), **{pod.region: pod.url("neutron") for pod in lab.pods}}
    try:
        for place, url in places.items():
            target = Target(pod=place, service=Service.NETWORK, url=url, label=place)
            client = Clients(pools, tokens).as_user(context, target)
            assert "networks" in await client.get("/v2.0/networks", deadline=context.deadline)
            alone = Call(method="GET", path="/v2.0/networks", headers=[(b"x-auth-token", caller.token.encode())])
            assert (await pools.send(target, alone, context.deadline)).status == 401
    finally:
        tokens.close()
        await pools.close()
