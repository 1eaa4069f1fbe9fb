# SPDX-License-Identifier: Apache-2.0
"""Which refusals of Neutron's say that a network is shared already?"""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tricircle.errors import UpstreamStatusError
from tricircle.recovery.sharing import share

_NETWORK = {"id": "N", "project_id": "owner"}


class Neutron:
    """Refuses every policy as it is told to, after somebody else has made those of ``meanwhile``."""

    def __init__(self, refusal: str, *meanwhile: str, status: int = 409) -> None:
        self._refusal, self._meanwhile, self._status = refusal, meanwhile, status
        self._there: list[dict[str, str]] = []
        self.refused: list[str] = []

    async def get(self, path: str, **_: object) -> dict[str, Any]:
        assert (urlsplit(path).path, urlsplit(path).query) == (
            "/v2.0/rbac-policies",
            "object_id=N&action=access_as_shared",
        )
        return {"rbac_policies": self._there}

    async def post(self, _path: str, *, body: dict[str, dict[str, Any]], **_: object) -> dict[str, Any]:
        self.refused.append(body["rbac_policy"]["target_tenant"])
        self._there = [{"id": one, "target_tenant": one} for one in self._meanwhile]
        said = {"type": self._refusal, "message": "No.", "detail": ""}
        raise UpstreamStatusError(self._status, json.dumps({"NeutronError": said}), "centre")


async def test_what_somebody_made_meanwhile_is_there() -> None:
    neutron = Neutron("DuplicateRbacPolicy", "tenant")
    await share(neutron, _NETWORK, ["owner", "tenant"])  # type: ignore[arg-type]
    assert neutron.refused == ["tenant"]


@pytest.mark.parametrize(
    "neutron",
    [
        Neutron("OverQuota"),
        Neutron("NetworkInUse", "tenant"),
        Neutron("DuplicateRbacPolicy"),  # it has gone again
        Neutron("DuplicateRbacPolicy", "another"),
        Neutron("DuplicateRbacPolicy", "tenant", status=500),
    ],
    ids=["limit", "another type", "gone", "of somebody else", "fault"],
)
async def test_everything_else_is_a_failure(neutron: Neutron) -> None:
    with pytest.raises(UpstreamStatusError):
        await share(neutron, _NETWORK, ["tenant"])  # type: ignore[arg-type]
    assert neutron.refused == ["tenant"]


async def test_a_network_of_one_project_is_not_even_looked_at() -> None:
    await share(None, _NETWORK, ["owner"])  # type: ignore[arg-type]
