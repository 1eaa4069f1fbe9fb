# SPDX-License-Identifier: Apache-2.0
"""Do aggregates of the centre hold hosts of pods, and do their copies follow what is said of them?"""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.doors.compute.cloud import IMAGE, Cloud, json_of
from tricircle.context import ProjectId, RequestContext
from tricircle.errors import ConflictError, ForbiddenError, InvalidRequestError, NotFoundError, UnavailableError
from tricircle.model.pod import Service

HOSTS = ("Pod1.canaryhost-1", "Pod2.canaryhost-1")


@pytest.fixture
def admin(sky: Cloud) -> RequestContext:
    return sky.context("admin", "admin")


async def made(sky: Cloud, admin: RequestContext, **fields: object) -> str:
    answer = await sky.ask("POST", "/os-aggregates", {"aggregate": {"name": "fast", **fields}}, context=admin)
    return str(json_of(answer)["aggregate"]["id"])


async def act(sky: Cloud, admin: RequestContext, aggregate_id: str, **action: object) -> Any:
    return await sky.ask("POST", f"/os-aggregates/{aggregate_id}/action", dict(action), context=admin)


def copies(sky: Cloud, pod: str) -> list[dict[str, Any]]:
    return list(sky.apps[pod].nova.aggregates.stored.values())


async def test_a_host_is_put_into_a_copy_in_its_pod(sky: Cloud, admin: RequestContext) -> None:
    aggregate_id = await made(sky, admin, availability_zone="zone-fast")
    await act(sky, admin, aggregate_id, set_metadata={"metadata": {"ssd": "true"}})
    for host in HOSTS:
        answer = await act(sky, admin, aggregate_id, add_host={"host": host})
        assert answer.status == 200
    assert json_of(answer)["aggregate"]["hosts"] == list(HOSTS)
    for pod in ("pod1", "pod2"):
        (copy,) = copies(sky, pod)
        assert (copy["name"], copy["hosts"]) == (f"tricircle.{aggregate_id}", ["canaryhost-1"])
        assert copy["metadata"] == {"ssd": "true", "availability_zone": "tricircle.zone-fast"}
    listed = json_of(await sky.ask("GET", "/os-aggregates", context=admin))["aggregates"]
    assert [one["hosts"] for one in listed] == [list(HOSTS)]
    assert sky.apps["central"].nova.aggregates.stored[aggregate_id]["hosts"] == []


@pytest.mark.parametrize("action", ["add_host", "remove_host"])
async def test_a_host_that_the_centre_knows_is_in_no_aggregate_there(
    sky: Cloud, admin: RequestContext, action: str
) -> None:
    """Here it has the name that the pods' own have, and so nobody's."""
    sky.apps["central"].nova.is_hostless = False
    aggregate_id = await made(sky, admin)
    with pytest.raises(InvalidRequestError):
        await act(sky, admin, aggregate_id, **{action: {"host": "canaryhost-1"}})
    assert [where for to, verb, where, _ in sky.wires.calls if (to, verb) == ("central", "POST")] == [
        "/v2.1/os-aggregates",
        "/v2.1/os-aggregates/0/action",
    ]
    assert sky.apps["central"].nova.aggregates.stored[aggregate_id]["hosts"] == []


@pytest.mark.parametrize("body", [b"true", b"[]", b"{", b"7"])
async def test_what_is_no_object_is_the_centres_to_refuse(sky: Cloud, admin: RequestContext, body: bytes) -> None:
    """Nova says 400 or 404, as it comes."""
    aggregate_id = await made(sky, admin)
    path = f"/os-aggregates/{aggregate_id}/action"
    answer = await sky.ask("POST", path, raw=body, context=admin)
    assert answer.status >= 400
    assert sky.wires.calls[-1] == ("central", "POST", f"/v2.1{path}", body)


async def test_the_last_host_takes_the_copy_along(sky: Cloud, admin: RequestContext) -> None:
    aggregate_id = await made(sky, admin)
    await act(sky, admin, aggregate_id, add_host={"host": HOSTS[0]})
    with pytest.raises(InvalidRequestError, match="not empty"):
        await sky.ask("DELETE", f"/os-aggregates/{aggregate_id}", context=admin)
    answer = await act(sky, admin, aggregate_id, remove_host={"host": HOSTS[0]})
    assert json_of(answer)["aggregate"]["hosts"] == []
    assert copies(sky, "pod1") == []
    with pytest.raises(NotFoundError, match="Cannot remove host"):
        await act(sky, admin, aggregate_id, remove_host={"host": HOSTS[0]})
    assert (await sky.ask("DELETE", f"/os-aggregates/{aggregate_id}", context=admin)).status == 200


async def test_metadata_and_zone_follow_in_the_copies(sky: Cloud, admin: RequestContext) -> None:
    aggregate_id = await made(sky, admin)
    await act(sky, admin, aggregate_id, add_host={"host": HOSTS[0]})
    answer = await act(sky, admin, aggregate_id, set_metadata={"metadata": {"ssd": "true"}})
    assert json_of(answer)["aggregate"]["hosts"] == [HOSTS[0]]
    body = {"aggregate": {"name": "new", "availability_zone": "z2"}}
    shown = json_of(await sky.ask("PUT", f"/os-aggregates/{aggregate_id}", body, context=admin))["aggregate"]
    assert (shown["name"], shown["availability_zone"], shown["hosts"]) == ("new", "z2", [HOSTS[0]])
    (copy,) = copies(sky, "pod1")
    assert copy["metadata"] == {"ssd": "true", "availability_zone": "tricircle.z2"}
    assert copy["name"] == f"tricircle.{aggregate_id}"


async def test_a_pods_own_zone_is_not_moved(sky: Cloud, admin: RequestContext) -> None:
    aggregate_id = await made(sky, admin, availability_zone="az1")
    await act(sky, admin, aggregate_id, add_host={"host": HOSTS[0]})
    (copy,) = copies(sky, "pod1")
    assert copy["availability_zone"] is None
    with pytest.raises(ConflictError, match=r"already in availability zone\(s\) \['az2'\]"):
        await act(sky, admin, aggregate_id, add_host={"host": HOSTS[1]})


async def test_refusals_are_about_the_aggregate_of_the_centre(sky: Cloud, admin: RequestContext) -> None:
    for _ in range(3):
        aggregate_id = await made(sky, admin, name=f"a{_}")
    await act(sky, admin, aggregate_id, add_host={"host": HOSTS[0]})
    answer = await act(sky, admin, aggregate_id, add_host={"host": HOSTS[0]})
    assert answer.status == 409
    assert json_of(answer)["conflictingRequest"]["message"] == "Aggregate 3 already has host canaryhost-1."
    with pytest.raises(InvalidRequestError, match=r"Pod1\.canaryhost-1, Pod2\.canaryhost-1"):
        await act(sky, admin, aggregate_id, add_host={"host": "canaryhost-1"})
    with pytest.raises(NotFoundError, match="Compute host nobody could not be found"):
        await act(sky, admin, aggregate_id, add_host={"host": "nobody"})


async def test_tenants_are_refused_by_the_centre(sky: Cloud, admin: RequestContext) -> None:
    aggregate_id = await made(sky, admin)
    answer = await act(sky, sky.context(), aggregate_id, add_host={"host": HOSTS[0]})
    assert answer.status == 403
    assert copies(sky, "pod1") == []


async def test_nothing_is_changed_while_a_pod_that_may_have_hosts_is_silent(sky: Cloud, admin: RequestContext) -> None:
    aggregate_id = await made(sky, admin)
    await act(sky, admin, aggregate_id, add_host={"host": HOSTS[0]})
    sky.wires.cut.add(("pod2", Service.COMPUTE))
    with pytest.raises(UnavailableError):
        await act(sky, admin, aggregate_id, set_metadata={"metadata": {"ssd": "true"}})
    listed = await sky.ask("GET", "/os-aggregates", context=admin)
    assert listed.header(b"openstack-incomplete-azs") == b"az2"


async def test_a_zone_of_an_aggregate_takes_servers_to_its_pods(sky: Cloud, admin: RequestContext) -> None:
    aggregate_id = await made(sky, admin, availability_zone="fast")
    body = {"server": {"name": "s", "flavorRef": "m1", "imageRef": IMAGE, "networks": "none",
                       "availability_zone": "fast"}}  # fmt: skip
    with pytest.raises(InvalidRequestError, match="The requested availability zone is not available"):
        await sky.ask("POST", "/servers", body)
    await act(sky, admin, aggregate_id, add_host={"host": HOSTS[1]})
    zones = json_of(await sky.ask("GET", "/os-availability-zone"))["availabilityZoneInfo"]
    assert [one["zoneName"] for one in zones] == ["az1", "az2", "fast"]
    assert (await sky.ask("POST", "/servers", body)).status == 202
    (sent,) = sky.wires.sent("pod2", "POST", "/v2.1/servers")
    assert sent["server"]["availability_zone"] == "tricircle.fast"


async def test_a_zone_that_cannot_be_known_now_is_not_denied(sky: Cloud, admin: RequestContext) -> None:
    aggregate_id = await made(sky, admin, availability_zone="fast")
    await act(sky, admin, aggregate_id, add_host={"host": HOSTS[1]})
    sky.wires.cut.add(("pod2", Service.COMPUTE))
    body = {"server": {"name": "s", "flavorRef": "m1", "networks": "none", "availability_zone": "fast"}}
    with pytest.raises(UnavailableError):
        await sky.ask("POST", "/servers", body)
    listed = await sky.ask("GET", "/os-availability-zone")
    assert listed.header(b"openstack-incomplete-azs") == b"az2"


@pytest.mark.parametrize("place", [{"host": HOSTS[1]}, {"availability_zone": f"az2:{HOSTS[1]}"}])
async def test_a_named_host_takes_the_server_to_its_pod(sky: Cloud, place: dict[str, str]) -> None:
    body = {"server": {"name": "s", "flavorRef": "m1", "imageRef": IMAGE, "networks": "none", **place}}
    assert (await sky.ask("POST", "/servers", body, context=sky.context("admin", "demo"))).status in (202, 400)
    (sent,) = sky.wires.sent("pod2", "POST", "/v2.1/servers")
    assert "canaryhost-1" in (
        sent["server"].get("host"),
        sent["server"].get("availability_zone", "").rpartition(":")[2],
    )


async def test_services_are_changed_in_the_one_pod(sky: Cloud, admin: RequestContext) -> None:
    body = {"host": HOSTS[1], "binary": "nova-compute"}
    answer = await sky.ask("PUT", "/os-services/disable", body, context=admin, version="2.52")
    assert (answer.status, json_of(answer)["service"]["host"]) == (200, HOSTS[1])
    listed = json_of(await sky.ask("GET", "/os-services?binary=nova-compute", context=admin))["services"]
    assert {one["host"]: one["status"] for one in listed} == {HOSTS[0]: "enabled", HOSTS[1]: "disabled"}
    (one,) = [one for one in listed if one["host"] == HOSTS[1]]
    path = f"/os-services/{one['id']}"
    enabled = json_of(await sky.ask("PUT", path, {"status": "enabled"}, context=admin))["service"]
    assert (enabled["host"], enabled["status"]) == (HOSTS[1], "enabled")
    # The centre may know a compute service, too: what it is asked beforehand names none that there is.
    puts = [(to, where) for to, verb, where, _ in sky.wires.calls if verb == "PUT" and "disable" not in where]
    assert ("pod2", f"/v2.1{path}") in puts
    (rehearsed,) = [where for to, where in puts if to == "central"]
    assert one["id"] not in rehearsed
    assert rehearsed.startswith("/v2.1/os-services/")


async def test_what_is_no_id_of_a_service_is_novas_to_refuse(sky: Cloud, admin: RequestContext) -> None:
    await sky.ask("PUT", "/os-services/7", {"status": "enabled"}, context=admin)
    assert [where for to, verb, where, _ in sky.wires.calls if (to, verb) == ("central", "PUT")] == [
        "/v2.1/os-services/7"
    ]


async def test_volumes_and_snapshots_of_old_clients_are_made_by_the_other_door(sky: Cloud) -> None:
    body = {"volume": {"size": "2", "display_name": "n", "metadata": {"a": "b"}}}
    made_volume = json_of(await sky.ask("POST", "/os-volumes", body, version="2.35"))["volume"]
    assert (made_volume["displayName"], made_volume["attachments"]) == ("n", [{}])
    await sky.ask("POST", "/os-snapshots", {"snapshot": {"volume_id": "v1", "force": True}}, version="2.1")
    assert sky.storage_asked == [
        ("/v3/volumes", {"volume": {"size": 2, "name": "n", "metadata": {"a": "b"}}}),
        ("/v3/snapshots", {"snapshot": {"volume_id": "v1", "force": True}}),
    ]
    for bad in ({"size": 0}, {"display_name": "n"}, {"size": 1, "color": "red"}, {"size": 1, "metadata": 3}):
        with pytest.raises(InvalidRequestError):
            await sky.ask("POST", "/os-volumes", {"volume": bad}, version="2.35")


async def test_nova_lets_nobody_make_them_with_a_token_of_a_domain(sky: Cloud, admin: RequestContext) -> None:
    """The block-storage service would: its rules know administrators of domains."""
    of_domain = replace(admin, project_id=ProjectId(""), domain_id="default")
    for path, body in (
        ("/os-volumes", {"volume": {"size": 1}}),
        ("/os-snapshots", {"snapshot": {"volume_id": "v1"}}),
    ):
        with pytest.raises(ForbiddenError, match=path.removeprefix("/")[3:]):
            await sky.ask("POST", path, body, version="2.35", context=of_domain)
        # A form that is wrong is refused before that, as by Nova.
        with pytest.raises(InvalidRequestError):
            await sky.ask("POST", path, {}, version="2.35", context=of_domain)
    assert sky.storage_asked == []
