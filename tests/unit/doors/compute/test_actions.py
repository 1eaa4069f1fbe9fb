# SPDX-License-Identifier: Apache-2.0
"""Is what changes a server afterwards made in the pod and at the centre alike?"""

from dataclasses import replace
from typing import Any, cast

import msgspec
import pytest

from tests.unit.doors.compute.cloud import IMAGE, PUBLIC, Cloud, json_of
from tests.unit.road.scripted import World, json_reply, request
from tests.unit.road.scripted import pod as scripted_pod
from tricircle.context import PodId, ProjectId
from tricircle.doors.compute.rehearsal import refused_as_it_is
from tricircle.errors import (
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    QuotaExceededError,
    UnavailableError,
)
from tricircle.model.job import JobType
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.testing.exchange import Asked, Refusal, Said

NOBODY = "99999999-0000-0000-0000-000000000000"


def project(sky: Cloud) -> str:
    return sky.identities.projects["demo"].id


@pytest.fixture
async def server(sky: Cloud) -> dict[str, Any]:
    """A server in az1 on a network."""
    body = {
        "server": {
            "name": "vm1",
            "flavorRef": "m1",
            "imageRef": IMAGE,
            "networks": [{"uuid": sky.network(project(sky))}],
            "availability_zone": "az1",
        }
    }
    answer = await sky.ask("POST", "/servers", body)
    assert answer.status == 202, answer.body
    made: dict[str, Any] = json_of(answer)["server"]
    return made


async def act(sky: Cloud, server: dict[str, Any], action: str, value: object = None, **more: Any) -> Any:
    return await sky.ask("POST", f"/servers/{server['id']}/action", {action: value}, **more)


async def test_the_end_of_a_server_files_its_ports(sky: Cloud, server: dict[str, Any]) -> None:
    """What was filed before the call, in case the gateway would not live to file this, is withdrawn."""
    before = len(await sky.jobs())
    assert (await sky.ask("DELETE", f"/servers/{server['id']}")).status == 204
    filed = (await sky.jobs())[before:]
    assert filed == [(JobType.SERVER_PORTS, server["id"], "pod1")]


async def test_an_interface_is_attached_and_shown_with_our_ids(sky: Cloud, server: dict[str, Any]) -> None:
    network = sky.network(project(sky), "net2", cidr="10.2.0.0/24")
    path = f"/servers/{server['id']}/os-interface"
    answer = await sky.ask("POST", path, {"interfaceAttachment": {"net_id": network}})
    assert answer.status == 200
    port = next(port for port in sky.central_ports() if port["network_id"] == network)
    assert port["device_id"] == server["id"]
    assert port["binding:host_id"] == "Pod1"
    attached = json_of(answer)["interfaceAttachment"]
    assert attached["port_id"] == port["id"]
    listed = json_of(await sky.ask("GET", path))["interfaceAttachments"]
    assert port["id"] in {one["port_id"] for one in listed}
    before = len(await sky.jobs())
    assert (await sky.ask("DELETE", f"{path}/{port['id']}")).status == 202
    assert (await sky.jobs())[before:] == [(JobType.SERVER_PORTS, server["id"], "pod1")]


def stored_port(sky: Cloud, network: str, owner: str, **fields: object) -> dict[str, Any]:
    """A port at the centre that its owner made."""
    neutron = sky.apps["central"].neutron
    made = neutron._port({"network_id": network, **fields}, owner)
    return cast("dict[str, Any]", neutron._store("ports", {**made, "project_id": owner}))


async def test_an_administrator_of_another_project_attaches_for_the_servers(sky: Cloud, server: dict[str, Any]) -> None:
    """What comes to be is the server's project's, and counts there; no group of the administrator's comes along."""
    admin = sky.context("admin", "admin")
    assert admin.project_id != project(sky)
    network = sky.network(project(sky), "net2", cidr="10.2.0.0/24")
    path = f"/servers/{server['id']}/os-interface"
    made = await sky.ask("POST", path, {"interfaceAttachment": {"net_id": network}}, context=admin)
    assert made.status == 200, made.body
    port = next(port for port in sky.central_ports() if port["network_id"] == network)
    default = sky.apps["central"].neutron.default_group(project(sky))["id"]
    assert (port["project_id"], port["device_id"], port["security_groups"]) == (project(sky), server["id"], [default])
    brought = stored_port(sky, network, project(sky))
    given = await sky.ask("POST", path, {"interfaceAttachment": {"port_id": brought["id"]}}, context=admin)
    assert json_of(given)["interfaceAttachment"]["port_id"] == brought["id"]
    assert brought["device_id"] == server["id"]
    assert {one["project_id"] for one in sky.pod_ports("pod1")} == {project(sky)}
    for one in (port, brought):
        before = len(await sky.jobs())
        assert (await sky.ask("DELETE", f"{path}/{one['id']}", context=admin)).status == 202
        assert (await sky.jobs())[before:] == [(JobType.SERVER_PORTS, server["id"], "pod1")]
        assert await sky.projects_of_jobs(server["id"]) == {project(sky)}


async def test_the_job_of_an_attach_looks_at_the_servers_project(sky: Cloud, server: dict[str, Any]) -> None:
    """Should this process die in it, the worker waits for servers of that project."""
    sky.wires.deaf = lambda target, call: target.pod == "pod1" and call.path.endswith("/os-interface")
    network = sky.network(project(sky), "net2", cidr="10.2.0.0/24")
    with pytest.raises(OutcomeUnknownError):
        await sky.ask(
            "POST",
            f"/servers/{server['id']}/os-interface",
            {"interfaceAttachment": {"net_id": network}},
            context=sky.context("admin", "admin"),
        )
    claim = next(port["device_id"] for port in sky.central_ports() if port["network_id"] == network)
    assert await sky.projects_of_jobs(claim) == {project(sky)}


async def test_quotas_of_an_attach_are_those_of_the_servers_project(sky: Cloud, server: dict[str, Any]) -> None:
    admin = sky.context("admin", "admin")
    quotas = sky.apps["central"].neutron.quotas
    network = sky.network(project(sky), "net2", cidr="10.2.0.0/24")
    path, body = f"/servers/{server['id']}/os-interface", {"interfaceAttachment": {"net_id": network}}
    quotas.stored = {admin.project_id: {"port": 0}, project(sky): {"port": 2}}
    assert (await sky.ask("POST", path, body, context=admin)).status == 200
    with pytest.raises(QuotaExceededError, match="Maximum number of ports exceeded"):
        await sky.ask("POST", path, body, context=admin)


async def test_an_attach_that_names_nothing_means_a_network_of_the_servers_project(
    sky: Cloud, server: dict[str, Any]
) -> None:
    admin = sky.context("admin", "admin")
    sky.network(admin.project_id, "admins", cidr="10.2.0.0/24")
    answer = await sky.ask("POST", f"/servers/{server['id']}/os-interface", None, context=admin)
    assert answer.status == 200, answer.body
    assert {port["project_id"] for port in sky.central_ports()} == {project(sky)}
    assert len({port["network_id"] for port in sky.central_ports()}) == 1


@pytest.mark.parametrize("who", ["admin", "demo"])
async def test_a_port_of_another_project_is_for_no_server_of_this_one(
    sky: Cloud, server: dict[str, Any], who: str
) -> None:
    """Of the administrator's neither: it is the server that must not have it, whoever asks. Tenants do not see it."""
    foreign = stored_port(
        sky, sky.network(project(sky), "net2", cidr="10.2.0.0/24"), sky.context("admin", "admin").project_id
    )
    with pytest.raises(InvalidRequestError if who == "admin" else NotFoundError):
        await sky.ask(
            "POST",
            f"/servers/{server['id']}/os-interface",
            {"interfaceAttachment": {"port_id": foreign["id"]}},
            context=sky.context(who, who),
        )
    assert foreign["device_id"] == ""


@pytest.mark.parametrize(
    ("attachment", "error", "text"),
    [
        ({"net_id": NOBODY}, NotFoundError, f"Network {NOBODY} could not be found."),
        ({"port_id": NOBODY}, NotFoundError, f"Port id {NOBODY} could not be found."),
        ({"port_id": NOBODY, "net_id": NOBODY}, InvalidRequestError, "Must not input both network_id and port_id"),
        (
            {"fixed_ips": [{"ip_address": "10.0.0.9"}]},
            InvalidRequestError,
            "Must input network_id when request IP address",
        ),
    ],
)
async def test_what_cannot_be_attached(
    sky: Cloud, server: dict[str, Any], attachment: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        await sky.ask("POST", f"/servers/{server['id']}/os-interface", {"interfaceAttachment": attachment})
    assert getattr(caught.value, "message", "") == text
    assert len(sky.central_ports()) == 1


async def test_a_refused_attach_leaves_no_port(sky: Cloud, server: dict[str, Any]) -> None:
    def refuse(asked: Asked, server_id: str) -> Said:
        raise Refusal(400, f"Failed: {asked.json()['interfaceAttachment']['port_id']}")

    sky.apps["pod1"].nova._plug = refuse  # type: ignore[method-assign]
    network = sky.network(project(sky), "net2", cidr="10.2.0.0/24")
    answer = await sky.ask(
        "POST", f"/servers/{server['id']}/os-interface", {"interfaceAttachment": {"net_id": network}}
    )
    assert answer.status == 400
    deleted = [call[2].rpartition("/")[2] for call in sky.wires.calls if call[:2] == ("central", "DELETE")]
    assert json_of(answer)["badRequest"]["message"] == f"Failed: {deleted[-1]}"
    assert len(sky.central_ports()) == len(sky.pod_ports("pod1")) == 1


async def test_groups_change_in_the_pod_and_at_the_centre(sky: Cloud, server: dict[str, Any]) -> None:
    neutron = sky.apps["central"].neutron
    group = neutron._store("security_groups", neutron._security_group({}, project(sky), "web"))
    assert (await act(sky, server, "addSecurityGroup", {"name": "web"})).status == 202
    (sent,) = sky.wires.sent("pod1", "POST", f"/v2.1/servers/{server['id']}/action")
    copy = await sky.routings.copy_in(Kind.SECURITY_GROUP, group["id"], PodId("pod1"))
    assert copy is not None
    assert sent == {"addSecurityGroup": {"name": copy.pod_resource_id}}
    (port,) = sky.central_ports()
    assert group["id"] in port["security_groups"]
    assert (await act(sky, server, "removeSecurityGroup", {"name": group["id"]})).status == 202
    assert group["id"] not in port["security_groups"]
    with pytest.raises(NotFoundError) as caught:
        await act(sky, server, "addSecurityGroup", {"name": "nope"})
    assert caught.value.message == f"Security group nope is not found for project {project(sky)}"


BEGUN_AT_THE_CENTRE = [
    ("action", {"addFloatingIp": {"address": "192.0.2.9"}}, "os-floating-ips:add"),
    ("action", {"removeFloatingIp": {"address": "192.0.2.9"}}, "os-floating-ips:remove"),
    ("action", {"addFixedIp": {"networkId": NOBODY}}, "os-multinic:add"),
    ("action", {"removeFixedIp": {"address": "10.0.0.3"}}, "os-multinic:remove"),
    ("action", {"addSecurityGroup": {"name": "nope"}}, "os-security-groups:add"),
    ("action", {"removeSecurityGroup": {"name": "nope"}}, "os-security-groups:remove"),
    ("os-interface", {"interfaceAttachment": {"net_id": NOBODY}}, "os-attach-interfaces:create"),
]


@pytest.mark.parametrize(("below", "body", "rule"), BEGUN_AT_THE_CENTRE)
@pytest.mark.parametrize("persona", ["reader", "domain admin"])
async def test_who_may_is_said_before_anything_is_looked_for(
    sky: Cloud, server: dict[str, Any], persona: str, below: str, body: dict[str, Any], rule: str
) -> None:
    """Nova looks for the server first: the pod says whether it is still there."""
    who = replace(sky.context(), roles=frozenset({"reader"}))
    if persona == "domain admin":
        who = replace(who, roles=frozenset({"admin"}), project_id=ProjectId(""), domain_id="default")
    path = f"/servers/{server['id']}/{below}"
    with pytest.raises(ForbiddenError) as caught:
        await sky.ask("POST", path, body, context=who, version="2.35")
    assert caught.value.message == f"Policy doesn't allow os_compute_api:{rule} to be performed."
    del sky.apps["pod1"].nova.servers[server["id"]]
    answer = await sky.ask("POST", path, body, context=who, version="2.35")
    assert answer.status == 404
    assert json_of(answer)["itemNotFound"]["message"] == f"Instance {server['id']} could not be found."


async def test_a_token_without_a_project_has_no_limits_of_metadata(sky: Cloud, server: dict[str, Any]) -> None:
    """It is for the pod to refuse: the centre is not asked for what it would refuse too."""
    nobodys = replace(sky.context(), project_id=ProjectId(""), domain_id="default")
    asked = len(sky.wires.calls)
    await sky.ask("PUT", f"/servers/{server['id']}/metadata", {"metadata": {"a": "b"}}, context=nobodys)
    assert "central" not in {call[0] for call in sky.wires.calls[asked:]}
    assert len(sky.wires.sent("pod1", "PUT", f"/v2.1/servers/{server['id']}/metadata")) == 1


async def test_a_group_that_the_centre_refuses_is_taken_back(sky: Cloud, server: dict[str, Any]) -> None:
    neutron = sky.apps["central"].neutron
    neutron._store("security_groups", neutron._security_group({}, project(sky), "web"))

    def refuse(asked: Asked, collection: str, id: str) -> Said:  # noqa: A002
        raise Refusal(409, "no")

    neutron._update = refuse  # type: ignore[method-assign]
    with pytest.raises(ConflictError):
        await act(sky, server, "addSecurityGroup", {"name": "web"})
    actions = [next(iter(body)) for body in sky.wires.sent("pod1", "POST", f"/v2.1/servers/{server['id']}/action")]
    assert actions == ["addSecurityGroup", "removeSecurityGroup"]


async def test_a_group_is_not_taken_back_when_the_centre_may_have_written_it(
    sky: Cloud, server: dict[str, Any]
) -> None:
    neutron = sky.apps["central"].neutron
    web = neutron._store("security_groups", neutron._security_group({}, project(sky), "web"))
    sky.wires.deaf = lambda target, call: (target.pod, call.method) == ("central", "PUT")
    with pytest.raises(OutcomeUnknownError):
        await act(sky, server, "addSecurityGroup", {"name": "web"})
    actions = [next(iter(body)) for body in sky.wires.sent("pod1", "POST", f"/v2.1/servers/{server['id']}/action")]
    assert actions == ["addSecurityGroup"]
    assert web["id"] in sky.central_ports()[0]["security_groups"]


async def test_groups_are_shown_as_the_centre_has_them(sky: Cloud, server: dict[str, Any]) -> None:
    (port,) = sky.central_ports()
    default = port["security_groups"][0]
    (pod_port,) = sky.pod_ports("pod1")
    await sky.ask("POST", f"/servers/{server['id']}/action", {"addSecurityGroup": {"name": default}})
    copy = await sky.routings.copy_in(Kind.SECURITY_GROUP, default, PodId("pod1"))
    assert copy is not None
    pod_port["security_groups"] = [copy.pod_resource_id]
    (shown,) = json_of(await sky.ask("GET", f"/servers/{server['id']}/os-security-groups"))["security_groups"]
    assert (shown["id"], shown["name"], shown["tenant_id"]) == (default, "default", project(sky))
    assert [rule["group"]["name"] for rule in shown["rules"]] == ["default", "default"]
    detail = json_of(await sky.ask("GET", f"/servers/{server['id']}"))["server"]
    assert detail["security_groups"] == [{"name": "default"}]


async def test_a_volume_of_another_pod_is_refused(sky: Cloud, server: dict[str, Any]) -> None:
    volume = "77777777-0000-0000-0000-000000000000"
    await sky.routings.record(Kind.VOLUME, volume, PodId("pod2"), ProjectId(project(sky)))
    path, body = f"/servers/{server['id']}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}}
    with pytest.raises(InvalidRequestError, match="availability zone az2"):
        await sky.ask("POST", path, body)
    with pytest.raises(NotFoundError, match=f"Volume {NOBODY} could not be found"):
        await sky.ask("POST", path, {"volumeAttachment": {"volumeId": NOBODY}})


async def test_a_new_image_is_where_users_find_images(sky: Cloud, server: dict[str, Any]) -> None:
    """Below 2.45 its id is only in a Location, which is the pod's."""
    act_as_before = sky.apps["pod1"].nova._act

    def make(asked: Asked, server_id: str) -> Said:
        if "createImage" not in asked.json():
            return act_as_before(asked, server_id)
        return Said(status=202, headers={"Location": f"http://10.1.1.1:9292/images/{IMAGE}"})

    sky.apps["pod1"].nova._act = make  # type: ignore[method-assign]
    answer = await act(sky, server, "createImage", {"name": "snap"}, version="2.1")
    assert dict(answer.headers)[b"location"] == f"{PUBLIC}/image/v2/images/{IMAGE}".encode()


async def test_a_resize_takes_the_flavor_along_and_keeps_to_the_limit(sky: Cloud, server: dict[str, Any]) -> None:
    sky.flavor("m2", ram=128, vcpus=2)
    await act(sky, server, "resize", {"flavorRef": "m2"})
    assert "m2" in sky.apps["pod1"].nova.flavors.stored
    sky.apps["central"].nova.quotas.stored = {project(sky): {"cores": 1}}
    with pytest.raises(
        QuotaExceededError, match="Quota exceeded for cores: Requested 1, but already used 1 of 1 cores"
    ):
        await act(sky, server, "resize", {"flavorRef": "m2"})
    with pytest.raises(InvalidRequestError, match="Flavor nope could not be found"):
        await act(sky, server, "resize", {"flavorRef": "nope"})


def resizes(sky: Cloud) -> list[str]:
    """Pod1 looks for the flavor of a resize as Nova does: with the eyes of whoever asks. Which it found."""
    nova, found = sky.apps["pod1"].nova, []

    def resize(asked: Asked, server_id: str) -> Said:
        flavor_id = asked.part("resize")["flavorRef"]
        if nova.flavors.find(asked, flavor_id) is None:
            raise Refusal(400, f"Flavor {flavor_id} could not be found.")
        found.append(flavor_id)
        return Said(status=202)

    nova._act = resize  # type: ignore[method-assign]
    return found


async def test_an_administrator_resizes_others_servers_and_leaves_no_access(sky: Cloud, server: dict[str, Any]) -> None:
    """Nova shows an administrator every flavor; neither project needs access, and the server's is asked for nothing."""
    sky.flavor("secret", _public=False, _projects=set())
    found, operator = resizes(sky), sky.context("admin", "admin")
    assert (await act(sky, server, "resize", {"flavorRef": "secret"}, context=operator)).status == 202
    assert found == ["secret"]
    assert sky.apps["pod1"].nova.flavors.stored["secret"]["_projects"] == set()
    with pytest.raises(InvalidRequestError, match="Flavor secret could not be found"):
        await act(sky, server, "resize", {"flavorRef": "secret"})
    with pytest.raises(InvalidRequestError, match="Flavor nope could not be found"):
        await act(sky, server, "resize", {"flavorRef": "nope"}, context=operator)


async def test_a_tenant_resizes_to_a_private_flavor_that_is_his(sky: Cloud, server: dict[str, Any]) -> None:
    sky.flavor("secret", _public=False, _projects={project(sky)})
    found = resizes(sky)
    assert (await act(sky, server, "resize", {"flavorRef": "secret"})).status == 202
    assert found == ["secret"]
    assert sky.apps["pod1"].nova.flavors.stored["secret"]["_projects"] == {project(sky)}


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ("resize", {"flavorRef": "nope"}),
        ("unshelve", {"availability_zone": "nowhere"}),
        ("unshelve", {"availability_zone": "az2"}),
        ("rebuild", {"imageRef": IMAGE, "key_name": "nobodys"}),
    ],
)
async def test_a_locked_server_is_refused_as_such_whatever_an_action_names(
    sky: Cloud, server: dict[str, Any], action: str, value: dict[str, Any]
) -> None:
    text = f"Instance {server['id']} is locked"
    seen = []

    def refuse(asked: Asked, server_id: str) -> Said:
        seen.append(asked.json()[action])
        raise Refusal(409, f"Instance {server_id} is locked")

    sky.apps["pod1"].nova._act = refuse  # type: ignore[method-assign]
    answer = await act(sky, server, action, value)
    assert (answer.status, json_of(answer)["conflictingRequest"]["message"]) == (409, text)
    # The pod was asked for what nobody has: it could not have done it.
    assert [one.keys() for one in seen] == [value.keys()]
    assert not set(map(str, seen[0].values())) & set(value.values())


async def test_a_bad_form_is_refused_before_a_locked_server(sky: Cloud, server: dict[str, Any]) -> None:
    """The names that the pod is asked with are in good form; those that the user gave may not be."""

    def refuse(asked: Asked, server_id: str) -> Said:
        raise Refusal(400, "'%' is not a 'uuid'")

    sky.apps["central"].nova._act = refuse  # type: ignore[method-assign]
    answer = await act(sky, server, "resize", {"flavorRef": "%"})
    assert answer.status == 400
    assert sky.wires.sent("pod1", "POST", f"/v2.1/servers/{server['id']}/action") == []


@pytest.mark.parametrize("version", ["2.1", "2.53", "2.76"])
@pytest.mark.parametrize("value", [{"availability_zone": "elsewhere"}, {"host": "Pod1.c2", "x": 1}, {}, "now", None])
async def test_what_unshelve_says_is_not_heeded_before_2_77(
    sky: Cloud, server: dict[str, Any], version: str, value: object
) -> None:
    """Nova takes anything there: it goes to the pod as it is, once."""
    await act(sky, server, "unshelve", value, version=version)
    assert sky.wires.sent("pod1", "POST", f"/v2.1/servers/{server['id']}/action") == [{"unshelve": value}]


@pytest.mark.parametrize(
    ("action", "asked", "probed_since"),
    [
        ("unshelve", {"availability_zone": "elsewhere"}, (2, 77)),
        ("unshelve", {"host": "elsewhere"}, None),
        ("resize", {"flavorRef": "nope"}, (2, 1)),
        ("rebuild", {"imageRef": "nope"}, (2, 1)),
        ("rebuild", {"key_name": "nope"}, (2, 54)),
        ("rescue", {"rescue_image_ref": "nope"}, (2, 1)),
        ("migrate", {"host": "elsewhere"}, None),
        ("addSecurityGroup", {"name": "nope"}, None),
    ],
)
@pytest.mark.parametrize("version", [(2, 1), (2, 53), (2, 54), (2, 76), (2, 77), (2, 90), (2, 91)])
async def test_a_pod_is_probed_only_with_names_that_nova_looks_for(
    action: str, asked: dict[str, str], probed_since: tuple[int, int] | None, version: tuple[int, int]
) -> None:
    """In every other version it might carry the probe out."""
    there = World((scripted_pod("Pod1", "az1"),))
    path = "/servers/s/action"
    there.upstreams.said["central", "/v2.1" + path] = json_reply(404, {"itemNotFound": {"message": "no such server"}})
    there.upstreams.said["id-Pod1", "/v2.1" + path] = json_reply(409, {"conflictingRequest": {"message": "locked"}})
    call = request("POST", path, microversion=version)
    answer = await refused_as_it_is(there.carrier, call, there.pods[0], {action: asked})
    is_probed = probed_since is not None and version >= probed_since
    assert (answer is not None) is is_probed
    calls = [call for target, call in there.upstreams.calls if target.pod == "id-Pod1"]
    sent = [msgspec.json.decode(cast("bytes", call.body))[action] for call in calls]
    assert len(sent) == int(is_probed)
    assert not any(set(one.values()) & set(asked.values()) for one in sent)


async def test_an_az_in_unshelve_is_the_servers_own(sky: Cloud, server: dict[str, Any]) -> None:
    await act(sky, server, "shelve")
    await act(sky, server, "unshelve", {"availability_zone": "az1"})
    sent = sky.wires.sent("pod1", "POST", f"/v2.1/servers/{server['id']}/action")[-1]
    # The pod is the AZ: whatever it held the server to counts no more.
    assert sent == {"unshelve": {"availability_zone": None}}
    await act(sky, server, "shelve")
    with pytest.raises(InvalidRequestError, match="cannot be unshelved in az2"):
        await act(sky, server, "unshelve", {"availability_zone": "az2"})
    with pytest.raises(InvalidRequestError, match="The requested availability zone is not available"):
        await act(sky, server, "unshelve", {"availability_zone": "nope"})


async def test_servers_of_a_dead_pod_are_not_said_to_be_gone(sky: Cloud, server: dict[str, Any]) -> None:
    sky.wires.cut.add(("pod1", Service.COMPUTE))
    with pytest.raises(UnavailableError):
        await sky.ask("GET", f"/servers/{server['id']}", version="2.68")
    # Newer clients know Nova's form for cells that are down (see test_down_cells.py).
    shown = json_of(await sky.ask("GET", f"/servers/{server['id']}"))["server"]
    assert (shown["id"], shown["status"]) == (server["id"], "UNKNOWN")
    with pytest.raises(UnavailableError):
        await sky.ask("GET", f"/servers/{NOBODY}")
    sky.wires.cut.clear()


async def test_limits_are_the_centres_and_usage_is_the_pods(sky: Cloud, server: dict[str, Any]) -> None:
    absolute = json_of(await sky.ask("GET", "/limits"))["limits"]["absolute"]
    assert absolute["maxTotalInstances"] == 10
    assert (absolute["totalInstancesUsed"], absolute["totalCoresUsed"], absolute["totalRAMUsed"]) == (1, 1, 64)


async def test_lists_are_made_of_all_pods(sky: Cloud, server: dict[str, Any]) -> None:
    body = {"server": {"name": "vm2", "flavorRef": "m1", "imageRef": IMAGE, "networks": "none"}}
    other = json_of(
        await sky.ask("POST", "/servers", {**body, "server": {**body["server"], "availability_zone": "az2"}})
    )
    listed = json_of(await sky.ask("GET", "/servers/detail"))["servers"]
    assert {one["id"]: one["OS-EXT-AZ:availability_zone"] for one in listed} == {
        server["id"]: "az1",
        other["server"]["id"]: "az2",
    }
    assert len({one["hostId"] for one in listed}) == 2
    brief = json_of(await sky.ask("GET", "/servers"))["servers"]
    assert [set(one) for one in brief] == [{"id", "name", "links"}] * 2
    by_flavor = json_of(await sky.ask("GET", "/servers/detail?flavor=m1"))["servers"]
    assert len(by_flavor) == 2


async def test_a_refused_list_names_the_rule_of_what_was_asked(sky: Cloud) -> None:
    """Pods are asked for details even for a brief list."""
    brief, detailed = [
        json_of(await sky.ask("GET", f"/servers{path}?all_tenants=1"))["forbidden"]["message"]
        for path in ("", "/detail")
    ]
    assert "servers:index:get_all_tenants" in brief
    assert "servers:detail:get_all_tenants" in detailed


@pytest.mark.parametrize(
    ("action", "asked", "sent"),
    [
        ("migrate", {"host": "Pod1.c2"}, {"host": "c2"}),
        ("migrate", None, None),
        ("os-migrateLive", {"host": "Pod1.c2", "block_migration": "auto"}, {"host": "c2", "block_migration": "auto"}),
        ("evacuate", {"host": "c2"}, {"host": "c2"}),
        # A server does not change pods: its own knows no such host, and says so.
        ("evacuate", {"host": "Pod2.c2"}, {"host": "Pod2.c2"}),
        ("unshelve", {"host": "Pod1.c2"}, {"host": "c2"}),
    ],
)
async def test_a_pod_is_told_its_own_names_of_hosts(
    sky: Cloud, server: dict[str, Any], action: str, asked: object, sent: object
) -> None:
    await act(sky, server, action, asked, context=sky.context("admin", "demo"))
    assert sky.wires.sent("pod1", "POST", f"/v2.1/servers/{server['id']}/action")[-1] == {action: sent}
