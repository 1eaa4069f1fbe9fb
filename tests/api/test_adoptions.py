# SPDX-License-Identifier: Apache-2.0
"""``/v1.0/adoptions``: which requests are refused before anybody is asked?"""

import pytest

from tests.api.conftest import Api
from tricircle.context import PodId, ProjectId
from tricircle.model.routing import ADOPTED, Kind, Routing
from tricircle.store.engine import transaction
from tricircle.store.routings import RoutingRows

NET, THEIRS = "6f0b5a5e-4d1a-4b3c-8a39-0c41b2a0a001", "6f0b5a5e-4d1a-4b3c-8a39-0c41b2a0a002"


async def _pod(api: Api, state: str = "enabled") -> str:
    said = await api.admin.ask("POST", "/v1.0/pods", {"pod": {"pod_name": "Pod1", "az_name": "az1"}})
    pod_id = str(said.json()["pod"]["pod_id"])
    await api.admin.ask("PUT", f"/v1.0/pods/{pod_id}", {"pod": {"state": state}})
    return pod_id


def _body(**change: object) -> dict[str, object]:
    return {"adoption": {"network_id": NET, "pod_name": "Pod1", "pod_network_id": THEIRS, **change}}


@pytest.mark.parametrize("path", ["/v1.0/adoptions", "/v1.0/adoptions/observe"])
@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"pod_name": "Pod9"}, 400, "There is no pod 'Pod9'."),
        ({"pod_name": ""}, 422, "pod_name is empty."),
        ({"network_id": 7}, 400, "network_id must be a string."),
        ({"more": "x"}, 400, "Unknown field 'more'."),
    ],
)
async def test_what_cannot_be_meant(api: Api, path: str, change: dict[str, object], status: int, said: str) -> None:
    await _pod(api)
    answer = await api.admin.ask("POST", path, _body(**change))
    assert answer.status == status
    assert said in str(answer.json())


async def test_a_pod_that_is_disabled_is_not_asked(api: Api) -> None:
    await _pod(api, "disabled")
    answer = await api.admin.ask("POST", "/v1.0/adoptions", _body())
    assert answer.status == 400
    assert "Pod1 is disabled" in str(answer.json())


async def test_only_adoptions_are_ended(api: Api) -> None:
    pod_id = await _pod(api)
    ids = []
    for network, details in ((NET, {}), (THEIRS, {ADOPTED: True})):
        row = Routing(
            id=0, central_id=network, kind=Kind.NETWORK, pod_id=PodId(pod_id), project_id=ProjectId("p1"),
            pod_resource_id=f"in-pod-{network}", details=details,
        )  # fmt: skip
        async with transaction(api.engine) as connection:
            ids.append((await RoutingRows.record(connection, row)).id)
    copy, adopted = ids
    for word in (str(copy), "0", "x", "9999"):
        assert (await api.admin.ask("DELETE", f"/v1.0/adoptions/{word}")).status == 404
    api.centre.networking["ports"] = api.centre.networking["subnets"] = []
    assert (await api.admin.ask("DELETE", f"/v1.0/adoptions/{adopted}")).status == 200
    assert (await api.admin.ask("GET", f"/v1.0/routings/{adopted}")).status == 404


@pytest.mark.parametrize("word", ["%", "a/../../v2.0/ports", "x?y=z#", "é"])
async def test_an_id_is_one_piece_of_a_path(api: Api, word: str) -> None:
    await _pod(api)
    for body in (_body(network_id=word), _body(pod_network_id=word)):
        answer = await api.admin.ask("POST", "/v1.0/adoptions/observe", body)
        assert (answer.status, "could not be found" in str(answer.json())) == (404, True)


async def test_a_network_that_has_a_copy_of_ours_is_refused(api: Api) -> None:
    pod_id = await _pod(api)
    row = Routing(
        id=0, central_id=NET, kind=Kind.NETWORK, pod_id=PodId(pod_id), project_id=ProjectId("p1"),
        pod_resource_id="copy",
    )  # fmt: skip
    async with transaction(api.engine) as connection:
        await RoutingRows.record(connection, row)
    answer = await api.admin.ask("POST", "/v1.0/adoptions/observe", _body())
    assert answer.status == 409
    assert "has another copy in pod Pod1" in str(answer.json())
    answer = await api.admin.ask("POST", "/v1.0/adoptions/observe", _body(pod_network_id="copy"))
    assert (answer.status, "our own copy" in str(answer.json())) == (409, True)
