# SPDX-License-Identifier: Apache-2.0
"""``/v1.0/bindings``: fields and codes of the first release."""

from typing import Any

import pytest

from tests.api.conftest import Api
from tests.asgi import Said


@pytest.fixture
async def pod_id(api: Api) -> str:
    """A registered pod."""
    said = await api.admin.ask("POST", "/v1.0/pods", {"pod": {"pod_name": "Pod1", "az_name": "az1"}})
    return str(said.json()["pod"]["pod_id"])


async def post(api: Api, **fields: object) -> Said:
    return await api.admin.ask("POST", "/v1.0/bindings", {"pod_binding": fields})


async def test_bind_show_list_unbind(api: Api, pod_id: str) -> None:
    said = await post(api, tenant_id="p1", pod_id=pod_id)
    assert said.status == 200
    binding: dict[str, Any] = said.json()["pod_binding"]
    assert set(binding) == {"id", "tenant_id", "pod_id", "created_at", "updated_at"}
    assert (binding["tenant_id"], binding["pod_id"]) == ("p1", pod_id)
    assert {value for quota in api.pod1.quotas.values() for value in quota.values()} == {-1}
    path = f"/v1.0/bindings/{binding['id']}"
    assert (await api.admin.ask("GET", path)).json() == {"pod_binding": binding}
    assert (await api.admin.ask("GET", "/v1.0/bindings")).json() == {"pod_bindings": [binding]}
    assert (await api.admin.ask("GET", f"/v1.0/bindings?tenant_id=p1&pod_id={pod_id}")).json()["pod_bindings"]
    assert (await api.admin.ask("GET", "/v1.0/bindings?tenant_id=p2")).json() == {"pod_bindings": []}
    gone = await api.admin.ask("DELETE", path)
    assert (gone.status, gone.json()) == (200, {})
    for method in ("GET", "DELETE"):
        assert (await api.admin.ask(method, path)).status == 404


async def test_409_for_a_second_one(api: Api, pod_id: str) -> None:
    assert (await post(api, tenant_id="p1", pod_id=pod_id)).status == 200
    said = await post(api, tenant_id="p1", pod_id=pod_id)
    assert said.status == 409
    assert said.message == "Project p1 is bound to pod Pod1 already."


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tenant_id": "", "pod_id": "x"}, "tenant_id is empty."),
        ({"tenant_id": "p1"}, "pod_id is empty."),
        ({"tenant_id": "p1", "pod_id": "nobody"}, "There is no pod nobody."),
    ],
)
async def test_422_for_values_that_cannot_be(api: Api, fields: dict[str, object], words: str) -> None:
    said = await post(api, **fields)
    assert said.status == 422
    assert said.message == words


async def test_422_for_a_project_that_is_not(api: Api, pod_id: str) -> None:
    said = await post(api, tenant_id="nobody", pod_id=pod_id)
    assert said.status == 422
    assert said.message == "Project nobody does not exist."


async def test_422_for_the_central_region(api: Api) -> None:
    said = await api.admin.ask("POST", "/v1.0/pods", {"pod": {"pod_name": "RegionOne"}})
    said = await post(api, tenant_id="p1", pod_id=said.json()["pod"]["pod_id"])
    assert said.status == 422
    assert "is the central region" in said.message


async def test_400_without_the_object(api: Api) -> None:
    said = await api.admin.ask("POST", "/v1.0/bindings", {"binding": {}})
    assert said.status == 400
    assert said.message == "The body has no object 'pod_binding'."


async def test_503_when_the_pod_does_not_lift_the_limits(api: Api, pod_id: str) -> None:
    api.pod1.broken["network"] = 500
    said = await post(api, tenant_id="p1", pod_id=pod_id)
    assert said.status == 503
    assert int(said.headers["retry-after"]) > 0
    assert (await api.admin.ask("GET", "/v1.0/bindings")).json() == {"pod_bindings": []}


async def test_a_pod_that_goes_takes_its_bindings_along(api: Api, pod_id: str) -> None:
    await post(api, tenant_id="p1", pod_id=pod_id)
    assert (await api.admin.ask("DELETE", f"/v1.0/pods/{pod_id}")).status == 200
    assert (await api.admin.ask("GET", "/v1.0/bindings")).json() == {"pod_bindings": []}


async def test_what_no_id_can_be_is_nothing(api: Api, pod_id: str) -> None:
    """Ids are ASCII in the database, which fails a comparison with anything else."""
    assert (await api.admin.ask("GET", "/v1.0/bindings/%F0%9F%98%80")).status == 404
    assert (await api.admin.ask("DELETE", "/v1.0/bindings/%F0%9F%98%80")).status == 404
    for field in ("tenant_id", "pod_id"):
        said = await api.admin.ask("GET", f"/v1.0/bindings?{field}=%D1%8F")
        assert (said.status, said.json()["pod_bindings"]) == (200, [])
