# SPDX-License-Identifier: Apache-2.0
"""Is a server that comes back from its shelf held to the AZ that its user named last, or to none, as in one Nova?"""

import pytest

from tests.functional.region_world import Json, eventually
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def server_id(tenant: Tenant, flavor: Json, image_id: str) -> str:
    """A server in Pod2, which asked for its AZ."""
    made = tenant.booted("az2", flavorRef=flavor["id"], imageRef=image_id)
    tenant.active(made)
    return made


class Shelf:
    """One server that is put away and brought back, in one microversion."""

    def __init__(self, tenant: Tenant, server_id: str, version: str) -> None:
        self.tenant = tenant
        self.path = f"/servers/{server_id}"
        self.asked = {"OpenStack-API-Version": f"compute {version}"}

    def act(self, action: str, value: object = None) -> int:
        """The status of the answer to an action."""
        path = f"{self.path}/action"
        return self.tenant.here("POST", "compute", path, {action: value}, headers=self.asked).status_code

    def reached(self, status: str) -> None:
        """Wait for a status, and for the end of what leads to it."""

        def look() -> Json:
            shown: Json = self.tenant.here.good("GET", "compute", self.path)["server"]
            return shown

        eventually(look, lambda one: one["status"] == status and not one["OS-EXT-STS:task_state"], status)

    def back(self, value: object) -> object:
        """Put away and brought back: the AZ that it is held to then (2.96)."""
        assert self.act("shelve") == 202
        self.reached("SHELVED_OFFLOADED")
        assert self.act("unshelve", value) == 202
        self.reached("ACTIVE")
        newest = {"OpenStack-API-Version": "compute 2.96"}
        shown = self.tenant.here("GET", "compute", self.path, headers=newest).json()["server"]
        assert shown["OS-EXT-AZ:availability_zone"] == "az2"
        return shown["pinned_availability_zone"]


@pytest.mark.parametrize("version", ["2.91", "2.96", "2.104"])
def test_who_comes_back_is_held_to_what_was_named(tenant: Tenant, server_id: str, version: str) -> None:
    shelf = Shelf(tenant, server_id, version)
    # It is not on the shelf: Nova takes no AZ then, and nothing changes.
    assert shelf.act("unshelve", {"availability_zone": None}) == 409
    assert shelf.act("unshelve", {"availability_zone": "az2"}) == 409
    assert shelf.back(None) == "az2"
    assert shelf.back({"availability_zone": None}) is None
    assert shelf.back({"availability_zone": "az2"}) == "az2"


def test_an_az_may_be_named_before_none_may(tenant: Tenant, server_id: str) -> None:
    shelf = Shelf(tenant, server_id, "2.77")
    assert shelf.act("unshelve", {"availability_zone": None}) == 400
    assert shelf.back({"availability_zone": "az2"}) == "az2"
