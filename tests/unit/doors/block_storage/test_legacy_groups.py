# SPDX-License-Identifier: Apache-2.0
"""Who is told that a consistency group names types that nobody has? Only who may make one, as in Cinder."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from tests.unit.road.scripted import request
from tricircle.doors.block_storage.volumes.groups import Groups
from tricircle.errors import NotFoundError
from tricircle.http.message import Answer, Request

BODY = {"consistencygroup": {"volume_types": "nobodys", "name": "g"}}


class Centre:
    """A central Cinder with the type of such groups and no type of volumes, which says one thing to who makes one."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.asked: list[Any] = []

    async def central(self, _request: Request, *, body: object) -> Answer:
        self.asked.append(body)
        return Answer.json(self.status, {"said": {"code": self.status, "message": "no"}})

    async def get(self, *_path: object, **_details: object) -> dict[str, object]:
        return {"group_types": [{"id": "g", "name": "default_cgsnapshot_type"}]}

    async def find(self, _context: object, name: str) -> dict[str, object]:
        raise NotFoundError(f"Volume type {name} could not be found.")

    def groups(self) -> Groups:
        needs = SimpleNamespace(
            carrier=self,
            types=self,
            registry=SimpleNamespace(central=lambda _service: None),
            clients=SimpleNamespace(as_user=lambda *_what: self),
        )
        return Groups(cast("Any", needs), cast("Any", None))


def asked() -> Request:
    return request("POST", "/v3/consistencygroups", body=msgspec.json.encode(BODY))


async def test_who_may_not_is_told_that_first() -> None:
    centre = Centre(403)
    assert (await centre.groups().create_legacy(asked())).status == 403
    (body,) = centre.asked
    # What the centre is asked it can never carry out.
    assert body["consistencygroup"]["volume_types"] != "nobodys"
    assert body["consistencygroup"]["name"] == "g"


async def test_who_may_is_told_what_is_missing() -> None:
    with pytest.raises(NotFoundError, match="nobodys"):
        await Centre(404).groups().create_legacy(asked())
