# SPDX-License-Identifier: Apache-2.0
"""Are pods and bindings read as they were written?"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tricircle.context import PodId, ProjectId
from tricircle.errors import DuplicateRowError, ReferencedRowError
from tricircle.model.binding import Binding
from tricircle.model.pod import Endpoint, Pod, PodState, Service
from tricircle.store.bindings import BindingRows
from tricircle.store.engine import Engine, transaction
from tricircle.store.pods import PodRows

pytestmark = pytest.mark.mariadb

_POD = Pod(
    id=PodId("p-new"),
    name="Région 9",
    az_name="az9",
    pod_az_name="nova",
    dc_name="Łódź",
    state=PodState.DRAINING,
    endpoints={
        Service.COMPUTE: Endpoint(
            service=Service.COMPUTE, url="http://10.0.0.9:8774", prefix="/v2.1", min_version="2.1", max_version="2.96"
        ),
        Service.IMAGE: Endpoint(service=Service.IMAGE, url="http://10.0.0.9:9292"),
    },
    facts={"network_extensions": ["l3"], "physical_networks": {"a": "b"}},
)


async def test_a_pod_is_read_as_it_was_written(engine: Engine) -> None:
    async with transaction(engine) as connection:
        await PodRows.insert(connection, _POD)
    async with transaction(engine) as connection:
        found = await PodRows.get(connection, _POD.id)
        by_name = await PodRows.by_name(connection, "Région 9")
        every = await PodRows.list(connection)
    assert found is not None
    assert found.created_at is not None
    assert abs(datetime.now(UTC) - found.created_at) < timedelta(minutes=1)
    assert replace(found, created_at=None) == _POD
    assert by_name == found
    assert [pod.name for pod in every] == ["Pod1", "Pod2", "Pod3", "Région 9"]


async def test_names_compare_byte_by_byte(engine: Engine) -> None:
    async with transaction(engine) as connection:
        assert await PodRows.by_name(connection, "pod1") is None
        await PodRows.insert(connection, replace(_POD, name="pod1"))
    with pytest.raises(DuplicateRowError):
        async with transaction(engine) as connection:
            await PodRows.insert(connection, replace(_POD, id=PodId("p-newer"), name="pod1"))


async def test_an_update_replaces_fields_and_endpoints(engine: Engine) -> None:
    changed = replace(_POD, state=PodState.ENABLED, endpoints={}, facts={"aggregate_id": 7})
    async with transaction(engine) as connection:
        assert not await PodRows.update(connection, changed)
        await PodRows.insert(connection, _POD)
        assert await PodRows.update(connection, changed)
        found = await PodRows.get(connection, _POD.id)
    assert found is not None
    assert found.updated_at is not None
    assert replace(found, created_at=None, updated_at=None) == changed


async def test_a_pod_in_use_is_not_deleted(engine: Engine) -> None:
    binding = Binding(id="b1", project_id=ProjectId("demo"), pod_id=PodId("pod1"))
    async with transaction(engine) as connection:
        await BindingRows.insert(connection, binding)
    with pytest.raises(ReferencedRowError):
        async with transaction(engine) as connection:
            await PodRows.delete(connection, PodId("pod1"))
    async with transaction(engine) as connection:
        assert await BindingRows.delete_of_pod(connection, PodId("pod1")) == 1
        assert await PodRows.delete(connection, PodId("pod1"))
        assert not await PodRows.delete(connection, PodId("pod1"))


async def test_bindings_are_read_by_project_and_pod(engine: Engine) -> None:
    one = Binding(id="b1", project_id=ProjectId("demo"), pod_id=PodId("pod1"))
    two = Binding(id="b2", project_id=ProjectId("demo"), pod_id=PodId("pod2"), are_limits_lifted=True)
    three = Binding(id="b3", project_id=ProjectId("alt"), pod_id=PodId("pod1"))
    async with transaction(engine) as connection:
        for binding in (one, two, three):
            await BindingRows.insert(connection, binding)
        assert [b.id for b in await BindingRows.list(connection)] == ["b1", "b2", "b3"]
        assert [b.id for b in await BindingRows.list(connection, project_id=one.project_id)] == ["b1", "b2"]
        assert [b.id for b in await BindingRows.list(connection, pod_id=one.pod_id)] == ["b1", "b3"]
        assert await BindingRows.update(connection, replace(one, are_limits_lifted=True))
        found = await BindingRows.of(connection, one.project_id, one.pod_id)
        assert found is not None
        assert found.are_limits_lifted
        assert await BindingRows.get(connection, "b1") == found
        assert await BindingRows.delete(connection, "b1")
        assert await BindingRows.get(connection, "b1") is None
        assert await BindingRows.of(connection, one.project_id, one.pod_id) is None
    with pytest.raises(DuplicateRowError):
        async with transaction(engine) as connection:
            await BindingRows.insert(connection, replace(two, id="b4"))
