# SPDX-License-Identifier: Apache-2.0
"""What becomes of a port of a boot that died before it bound it, when the books with its job are lost as well?

With fake pods on real sockets. The port is in no pod, so it must be found at the centre; and nobody else's with it.
"""

from typing import Any

import pytest
import sqlalchemy as sa

from tests.api.whole import Whole
from tests.job_runs import job_run
from tricircle.app.rooms import open_rooms
from tricircle.app.worker import bodies
from tricircle.audit.inventory import Inventory
from tricircle.audit.sweep import Sweeps
from tricircle.context import PodId
from tricircle.copies.origins import UNBOUND
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.store.engine import transaction
from tricircle.testing.ailments import Ailment, Symptom
from tricircle.testing.exchange import Asked

Json = dict[str, Any]
#: Of users and of other services: unnamed, and with a device that no pod knows.
OTHERS: tuple[Json, ...] = (
    {"device_id": "11111111-0000-4000-8000-000000000000"},
    {"device_id": "lb-22222222", "device_owner": "Octavia", "description": UNBOUND},
    {"description": UNBOUND},
)


def _run(job_type: JobType, resource_id: str, pod_id: PodId, project: str, payload: Json) -> JobRun:
    return job_run(job_type, resource_id, pod_id, project, payload=payload, seconds=20)


@pytest.mark.parametrize("is_old", [True, False])
async def test_a_sweep_finds_a_port_that_was_never_bound(cloud: Whole, is_old: bool) -> None:
    """And leaves one alone whose request may be under way."""
    network = (await cloud.tenant.ask("POST", "/network/v2.0/networks", {"network": {}})).json()["network"]
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"}
    assert (await cloud.tenant.ask("POST", "/network/v2.0/subnets", {"subnet": subnet})).status == 201
    for one in OTHERS:
        said = await cloud.tenant.ask("POST", "/network/v2.0/ports", {"port": {"network_id": network["id"], **one}})
        assert said.status == 201, said.body
    ports = cloud.centre.neutron.resources["ports"]
    others = set(ports)

    def binds(asked: Asked) -> bool:
        return asked.method in ("PUT", "DELETE") and asked.path.startswith("/v2.0/ports/")

    cloud.centre.fall_ill(Ailment(symptom=Symptom.FAILING, only=binds), ("network",))
    flavor = {"flavor": {"id": "1", "name": "m1", "ram": 64, "vcpus": 1, "disk": 1}}
    assert (await cloud.admin.ask("POST", "/compute/v2.1/flavors", flavor)).status == 200
    wanted = {"name": "vm", "imageRef": cloud.image_id, "flavorRef": "1", "networks": [{"uuid": network["id"]}]}
    assert (await cloud.tenant.ask("POST", "/compute/v2.1/servers", {"server": wanted})).status >= 400
    cloud.centre.fall_ill(None, ("network",))
    (claimed,) = set(ports) - others
    assert (ports[claimed]["device_owner"], ports[claimed].get("binding:host_id", "")) == ("", "")
    rooms = open_rooms(cloud.settings)
    try:
        async with transaction(rooms.engine) as connection:
            await connection.execute(sa.text("DELETE FROM tricircle_jobs"))
        pod = next(pod for pod in await rooms.registry.pods() if pod.name == "Pod1")
        inventory = Inventory(rooms.clients, rooms.registry)
        sweeps = Sweeps(rooms.reach, inventory, in_flight_s=-60 if is_old else 600)
        await sweeps.agree(_run(JobType.SWEEP, pod.id, pod.id, "", {}))
        filed = [job for job in await rooms.queue.waiting() if job.type is JobType.SERVER_PORTS]
        assert [job.resource_id for job in filed] == ([ports[claimed]["device_id"]] if is_old else [])
        for job in filed:
            body = bodies(rooms)[job.type]
            await body(_run(job.type, job.resource_id, job.pod_id, job.project_id, dict(job.payload)))
        assert set(ports) == (others if is_old else others | {claimed})
    finally:
        await rooms.close()
