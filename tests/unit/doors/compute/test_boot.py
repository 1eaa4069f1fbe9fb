# SPDX-License-Identifier: Apache-2.0
"""Does a boot end with a server whose ports are the centre's, or as if it had never been?"""

import asyncio
from typing import Any, cast

import msgspec
import pytest

from tests.unit.doors.compute.cloud import IMAGE, PUBLIC, Cloud, json_of
from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.server_ports import CLAIMED
from tricircle.errors import (
    BadUpstreamAnswerError,
    ConflictError,
    InvalidRequestError,
    OutcomeUnknownError,
    QuotaExceededError,
    UnavailableError,
)
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobType
from tricircle.model.pod import Service
from tricircle.model.remembered import SEEN
from tricircle.model.routing import Kind
from tricircle.testing.exchange import Refusal
from tricircle.upstream.reply import Call, Reply, Target

NOBODY = "99999999-0000-0000-0000-000000000000"


def project(sky: Cloud) -> str:
    return sky.identities.projects["demo"].id


def wanted(**fields: Any) -> dict[str, Any]:
    return {"server": {"name": "vm1", "flavorRef": "m1", "imageRef": IMAGE, "networks": "none", **fields}}


async def boot(sky: Cloud, version: str = "2.90", **fields: Any) -> Any:
    answer = await sky.ask("POST", "/servers", wanted(**fields), version=version)
    assert answer.status == 202, answer.body
    return json_of(answer)["server"]


def is_untouched(sky: Cloud) -> bool:
    """No server, no port anywhere, nothing bound."""
    return not any(app.nova.servers or app.neutron.resources["ports"] for app in sky.apps.values())


async def test_a_server_on_a_network_gets_the_centres_address(sky: Cloud) -> None:
    network = sky.network(project(sky))
    answer = await sky.ask(
        "POST",
        "/servers",
        wanted(
            availability_zone="az1",
            networks=[{"uuid": network, "tag": "front"}],
            metadata={"a": "b"},
            user_data="YWJj",
            security_groups=[{"name": "default"}],
        ),
    )
    assert answer.status == 202
    server = json_of(answer)["server"]
    assert server["links"][0]["href"] == f"{PUBLIC}/compute/v2.1/servers/{server['id']}"
    assert dict(answer.headers)[b"location"] == server["links"][0]["href"].encode()
    assert server["security_groups"] == [{"name": "default"}]
    (port,), (pod_port,) = sky.central_ports(), sky.pod_ports("pod1")
    assert port["device_id"] == server["id"]
    assert port["device_owner"] == "compute:az1"
    assert port["binding:host_id"] == "Pod1"
    (sent,) = sky.wires.sent("pod1", "POST", "/v2.1/servers")
    assert sent["server"] == {
        "name": "vm1",
        "flavorRef": "m1",
        "imageRef": IMAGE,
        "metadata": {"a": "b"},
        "user_data": "YWJj",
        "networks": [{"port": pod_port["id"], "tag": "front"}],
    }
    shown = json_of(await sky.ask("GET", f"/servers/{server['id']}"))["server"]
    assert shown["OS-EXT-AZ:availability_zone"] == "az1"
    assert shown["addresses"]["net1"][0]["addr"] == port["fixed_ips"][0]["ip_address"]
    routing = await sky.routings.owned(Kind.SERVER, server["id"])
    assert routing is not None
    assert routing.pod_id == "pod1"
    assert (routing.details["asked_az"], set(routing.details)) == ("az1", {"asked_az", SEEN})
    copy = await sky.routings.copy_in(Kind.PORT, port["id"], routing.pod_id)
    assert copy is not None
    assert copy.details == {"origin": "gateway", "server_id": server["id"]}
    looked = [(JobType.PORT_STATUS, "pod1", "pod1")]
    assert await sky.jobs() == looked, "the claim's job is not needed any more; somebody looks when it is plugged in"


async def test_the_users_port_is_taken_and_given_back(sky: Cloud) -> None:
    """Taken by a boot; free again when the pod refuses."""
    neutron = sky.apps["central"].neutron
    network = sky.network(project(sky))
    port = neutron._store("ports", {**neutron._port({"network_id": network}, project(sky)), "project_id": project(sky)})
    sky.apps["pod1"].nova.quotas.stored = {project(sky): {"instances": 0}}
    sky.apps["pod2"].nova.quotas.stored = {project(sky): {"instances": 0}}
    server = await boot(sky, networks=[{"port": port["id"]}])
    assert neutron.resources["ports"][port["id"]]["device_id"] == server["id"]
    with pytest.raises(ConflictError, match=f"Port {port['id']} is still in use."):
        await boot(sky, networks=[{"port": port["id"]}])
    assert len(sky.central_ports()) == 1


def stored_port(sky: Cloud) -> dict[str, Any]:
    """A port of the user's at the centre."""
    neutron, owner = sky.apps["central"].neutron, project(sky)
    made = neutron._port({"network_id": sky.network(owner)}, owner)
    return cast("dict[str, Any]", neutron._store("ports", {**made, "project_id": owner}))


async def test_of_two_boots_with_one_port_one_gets_it(sky: Cloud) -> None:
    port = stored_port(sky)
    outcomes = await asyncio.gather(
        *(boot(sky, networks=[{"port": port["id"]}]) for _ in range(2)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, ConflictError)]
    servers = [outcome for outcome in outcomes if isinstance(outcome, dict)]
    assert [error.message for error in refused] == [f"Port {port['id']} is still in use."]
    assert port["device_id"] == servers[0]["id"]


class Meddling:
    """Somebody who changes a port just before each of so many claims of it."""

    def __init__(self, sky: Cloud, port: dict[str, Any], *, times: int, **change: object) -> None:
        self.sky, self.port, self.left, self.change = sky, port, times, change
        self._send = sky.wires.send
        sky.wires.send = self.send  # type: ignore[method-assign]

    async def send(self, target: Target, call: Call, deadline: Deadline) -> Reply:
        is_claim = (target.pod, call.method, call.path) == ("central", "PUT", f"/v2.0/ports/{self.port['id']}")
        if is_claim and self.left and any(name == b"if-match" for name, _ in call.headers):
            self.left -= 1
            self.port |= {**self.change, "revision_number": self.port["revision_number"] + 1}
        return await self._send(target, call, deadline)


async def test_a_port_that_is_renamed_meanwhile_is_still_free(sky: Cloud) -> None:
    port = stored_port(sky)
    meddling = Meddling(sky, port, times=1, name="new")
    server = await boot(sky, networks=[{"port": port["id"]}])
    assert (port["device_id"], port["name"], meddling.left) == (server["id"], "new", 0)


@pytest.mark.parametrize(
    ("times", "change", "error", "text"),
    [
        (1, {"device_id": "router1"}, ConflictError, "Port {id} is still in use."),
        (1, {"fixed_ips": []}, InvalidRequestError, "Port {id} requires a FixedIP in order to be used."),
        (9, {"name": "new"}, ConflictError, "Port {id} is being changed by other requests. Try again."),
    ],
)
async def test_what_becomes_of_a_port_meanwhile_is_told(
    sky: Cloud, times: int, change: dict[str, object], error: type[Exception], text: str
) -> None:
    port = stored_port(sky)
    Meddling(sky, port, times=times, **change)
    with pytest.raises(error) as caught:
        await boot(sky, networks=[{"port": port["id"]}])
    assert getattr(caught.value, "message", "") == text.format(id=port["id"])
    assert (port["device_id"], port["binding:host_id"]) == (change.get("device_id", ""), "")


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"flavorRef": "nope"}, InvalidRequestError, "Flavor nope could not be found."),
        ({"imageRef": NOBODY}, InvalidRequestError, "Can not find requested image"),
        ({"key_name": "nope"}, InvalidRequestError, "Invalid key_name provided."),
        ({"availability_zone": "nope"}, InvalidRequestError, "The requested availability zone is not available"),
        ({"networks": [{"uuid": NOBODY}]}, InvalidRequestError, f"Network {NOBODY} could not be found."),
        ({"networks": [{"port": NOBODY}]}, InvalidRequestError, f"Port id {NOBODY} could not be found."),
        (
            {"security_groups": [{"name": "nope"}]},
            InvalidRequestError,
            "Unable to find security_group with name or id 'nope'",
        ),
        (
            {"block_device_mapping_v2": [{"uuid": NOBODY, "source_type": "volume", "destination_type": "volume"}]},
            InvalidRequestError,
            f"Block Device Mapping is Invalid: failed to get volume {NOBODY}.",
        ),
        (
            {"block_device_mapping_v2": [{"uuid": NOBODY, "source_type": "image", "destination_type": "volume"}]},
            InvalidRequestError,
            f"Block Device Mapping is Invalid: failed to get image {NOBODY}.",
        ),
        (
            {"min_count": 2, "hostname": "h"},
            InvalidRequestError,
            "Unable to allocate a single hostname to multiple instances",
        ),
    ],
)
async def test_what_does_not_exist_is_refused_before_anything_is_made(
    sky: Cloud, fields: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        await boot(sky, **fields)
    assert getattr(caught.value, "message", "") == text
    assert is_untouched(sky)
    assert not [call for call in sky.wires.calls if call[0] != "central" and call[1] != "GET"]


async def test_the_centre_reads_the_body_first(sky: Cloud) -> None:
    """A malformed body is refused in the words of the service itself, with the flavor that the user named."""
    answer = await sky.ask("POST", "/servers", {"server": {"flavorRef": ["m1"]}})
    assert answer.status == 400
    with pytest.raises(InvalidRequestError, match="Malformed request body"):
        await sky.ask("POST", "/servers", raw=b"{")
    rehearsed = sky.wires.sent("central", "POST", "/v2.1/servers")
    await boot(sky)
    assert sky.wires.sent("central", "POST", "/v2.1/servers")[len(rehearsed)]["server"]["flavorRef"].startswith(
        "rehearsal-"
    )
    assert not sky.apps["central"].nova.servers


async def test_without_networks_the_only_one_is_meant(sky: Cloud) -> None:
    body = {"server": {"name": "vm1", "flavorRef": "m1", "imageRef": IMAGE}}
    network = sky.network(project(sky))
    assert (await sky.ask("POST", "/servers", body, version="2.1")).status == 202
    assert [port["network_id"] for port in sky.central_ports()] == [network]
    sky.network(project(sky), "net2")
    with pytest.raises(ConflictError, match="Multiple possible networks found"):
        await sky.ask("POST", "/servers", body, version="2.1")


async def test_without_any_network_the_pod_is_told_so(sky: Cloud) -> None:
    """A pod would choose one of its own, so the boot goes at the version that has a word for none."""
    body = {"server": {"name": "vm1", "flavorRef": "m1", "imageRef": IMAGE}}
    answer = await sky.ask("POST", "/servers", body, version="2.1")
    assert answer.status == 202
    assert b"openstack-api-version" not in dict(answer.headers), "the road says the client's"
    (sent,) = [*sky.wires.sent("pod1", "POST", "/v2.1/servers"), *sky.wires.sent("pod2", "POST", "/v2.1/servers")]
    assert sent["server"]["networks"] == "none"
    assert sent["server"]["description"] == "vm1"


async def test_a_pod_that_refuses_leaves_nothing_and_is_quoted_with_our_ids(sky: Cloud) -> None:
    network = sky.network(project(sky))

    def refuse(asked: Any) -> Any:
        port = sky.pod_ports("pod1")[0]["id"]
        raise Refusal(400, f"Binding failed for port {port}, on host canaryhost-1 of Pod1.")

    sky.apps["pod1"].nova._create = refuse  # type: ignore[method-assign]
    answer = await sky.ask("POST", "/servers", wanted(networks=[{"uuid": network}], availability_zone="az1"))
    assert answer.status == 400
    (port,) = {call[2].rpartition("/")[2] for call in sky.wires.calls if call[:2] == ("central", "DELETE")}
    expected = f"Binding failed for port {port}, on host (hidden) of az1."
    assert json_of(answer)["badRequest"]["message"] == expected
    assert is_untouched(sky)
    assert await sky.jobs() == []


async def test_a_pod_that_cannot_be_reached_leaves_nothing(sky: Cloud) -> None:
    network = sky.network(project(sky))
    sky.wires.cut.add(("pod1", Service.COMPUTE))
    with pytest.raises(UnavailableError):
        await boot(sky, networks=[{"uuid": network}], availability_zone="az1")
    assert is_untouched(sky)


async def test_ports_that_cannot_be_made_leave_nothing(sky: Cloud) -> None:
    network = sky.network(project(sky))
    sky.ports.fails = UnavailableError("not now")
    with pytest.raises(UnavailableError):
        await boot(sky, networks=[{"uuid": network}, {"uuid": sky.network(project(sky), "net2")}])
    assert is_untouched(sky)


async def test_what_is_known_to_be_impossible_is_refused_before_the_pod_is_touched(sky: Cloud) -> None:
    network = sky.network(project(sky))
    sky.ports.refuses = ConflictError("not there")
    with pytest.raises(ConflictError, match="not there"):
        await boot(sky, networks=[{"uuid": network}], availability_zone="az1")
    assert is_untouched(sky)
    assert await sky.jobs() == []
    # A rehearsal of the request is all that the pod was asked for, and changes nothing.
    asked = {call[2] for call in sky.wires.calls if call[0] == "pod1" and call[1] != "GET"}
    assert asked <= {"/v2.1/servers"}


async def test_a_boot_that_nobody_answered_keeps_its_ports_for_the_claims_job(sky: Cloud) -> None:
    network = sky.network(project(sky))
    sky.wires.deaf = lambda target, call: (target.pod, call.method, call.path) == ("pod1", "POST", "/v2.1/servers")
    with pytest.raises(OutcomeUnknownError):
        await boot(sky, networks=[{"uuid": network}], availability_zone="az1")
    (port,) = sky.central_ports()
    assert (JobType.SERVER_PORTS, port["device_id"], "pod1") in await sky.jobs()
    # So that its body waits for the server that may come of it, as it need not for one that is gone.
    (job,) = [job for job in await Queue(sky.engine).waiting() if job.resource_id == port["device_id"]]
    assert job.payload == CLAIMED
    assert len(sky.pod_ports("pod1")) == 1


@pytest.mark.parametrize(
    "said", [Reply(status=504, headers=[], body=b"<h1>504 Gateway Time-out</h1>"), BadUpstreamAnswerError("garbled")]
)
async def test_a_boot_of_which_only_a_proxy_spoke_keeps_its_ports(sky: Cloud, said: Reply | Exception) -> None:
    """The server may have come to be behind it, and then it has the port."""
    network = sky.network(project(sky))
    exchange = sky.wires.send

    async def send(target: Target, call: Call, deadline: Deadline) -> Reply:
        reply = await exchange(target, call, deadline)
        if (target.pod, call.method, call.path) != ("pod1", "POST", "/v2.1/servers"):
            return reply
        if isinstance(said, Exception):
            raise said
        return said

    sky.wires.send = send  # type: ignore[method-assign]
    with pytest.raises((OutcomeUnknownError, BadUpstreamAnswerError)):
        await boot(sky, networks=[{"uuid": network}], availability_zone="az1")
    assert len(sky.central_ports()) == len(sky.pod_ports("pod1")) == 1


async def test_a_central_port_of_unknown_fate_is_left_to_the_claims_job(sky: Cloud) -> None:
    network = sky.network(project(sky))
    sky.wires.deaf = lambda target, call: (target.pod, call.method, call.path) == ("central", "POST", "/v2.0/ports")
    with pytest.raises(UnavailableError):  # no pod was asked for a server
        await boot(sky, networks=[{"uuid": network}])
    (port,) = sky.central_ports()
    assert [(job[0], job[1]) for job in await sky.jobs()] == [(JobType.SERVER_PORTS, port["device_id"])]


async def test_the_projects_limit_is_the_centres(sky: Cloud) -> None:
    """Pods are lifted to unlimited: what they count is held against what the centre allows."""
    sky.apps["central"].nova.quotas.stored = {project(sky): {"instances": 1}}
    await boot(sky, availability_zone="az1")
    with pytest.raises(QuotaExceededError) as caught:
        await boot(sky, availability_zone="az2")
    expected = "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"
    assert caught.value.message == expected
    assert not sky.apps["pod2"].nova.servers


async def test_a_silent_pods_count_is_waited_for_only_briefly(sky: Cloud) -> None:
    """A pod that swallows calls must not use up the time of boots in other pods."""
    await boot(sky, availability_zone="az2")
    waits: list[float] = []
    exchange = sky.wires.send

    async def send(target: Target, call: Call, deadline: Deadline) -> Reply:
        if (target.pod, call.path) == ("pod2", "/v2.1/limits"):
            waits.append(deadline.remaining_s())
            raise UnavailableError("no answer")
        return await exchange(target, call, deadline)

    sky.wires.send = send  # type: ignore[method-assign]
    await boot(sky, availability_zone="az1")
    assert len(waits) == 1
    assert waits[0] <= 5.0


async def test_the_key_pair_and_flavor_follow_into_the_pod(sky: Cloud) -> None:
    made = await sky.ask("POST", "/os-keypairs", {"keypair": {"name": "k", "public_key": "ssh-ed25519 AAAA x"}})
    assert made.status < 300
    sky.apps["pod1"].nova.flavors.stored["m1"] = {**sky.flavor(), "ram": 128}
    server = await boot(sky, key_name="k", availability_zone="az1")
    assert [name for _, name in sky.apps["pod1"].nova.keypairs.stored] == ["k"]
    (sent,) = sky.wires.sent("pod1", "POST", "/v2.1/servers")
    assert sent["server"]["flavorRef"] == "tricircle.m1"
    assert json_of(await sky.ask("GET", f"/servers/{server['id']}"))["server"]["flavor"]["original_name"] == "m1"
    old = json_of(await sky.ask("GET", f"/servers/{server['id']}", version="2.1"))["server"]["flavor"]
    assert old["id"] == "m1"
    assert old["links"][0]["href"] == f"{PUBLIC}/compute/flavors/m1"


async def test_several_servers_of_one_call(sky: Cloud) -> None:
    network = sky.network(project(sky))
    await boot(sky, min_count=2, max_count=3, networks=[{"uuid": network}])
    (nova,) = [app.nova for name, app in sky.apps.items() if app.nova.servers]
    assert sorted(one["name"] for one in nova.servers.values()) == ["vm1-1", "vm1-2", "vm1-3"]
    assert {port["device_id"] for port in sky.central_ports()} == set(nova.servers)


async def test_many_servers_are_asked_for_some_at_once(sky: Cloud) -> None:
    """Each once, with a number and a port of its own."""
    sky.apps["central"].nova.quotas.stored = {project(sky): {"instances": 20}}
    await boot(sky, min_count=20, networks=[{"uuid": sky.network(project(sky))}])
    (nova,) = [app.nova for name, app in sky.apps.items() if app.nova.servers]
    assert sorted(one["name"] for one in nova.servers.values()) == sorted(f"vm1-{n + 1}" for n in range(20))
    assert len({port["device_id"] for port in sky.central_ports()}) == 20


@pytest.mark.parametrize("lost", [False, True])
async def test_of_servers_asked_for_at_once_one_fails(sky: Cloud, *, lost: bool) -> None:
    """The others count; when they are too few, one that may have come to be is said before one that was refused."""
    nova = sky.apps["pod1"].nova
    create = nova._create

    def make(asked: Any) -> Any:
        if asked.part("server")["name"] == "vm1-2":
            raise Refusal(403, "No more.")
        return create(asked)

    nova._create = make  # type: ignore[method-assign]
    zone = {"availability_zone": "az1", "networks": [{"uuid": sky.network(project(sky))}]}
    await boot(sky, min_count=3, max_count=4, **zone)
    assert sorted(one["name"] for one in nova.servers.values()) == ["vm1-1", "vm1-3", "vm1-4"]
    nova.servers.clear()
    sky.wires.deaf = lambda _target, call: lost and isinstance(call.body, bytes) and b'"vm1-4"' in call.body
    body = wanted(min_count=4, **zone)
    if lost:
        with pytest.raises(OutcomeUnknownError):
            await sky.ask("POST", "/servers", body)
    else:
        assert (await sky.ask("POST", "/servers", body)).status == 403
    assert [one["name"] for one in nova.servers.values()] == (["vm1-4"] if lost else [])


async def test_several_servers_are_found_by_their_reservation(sky: Cloud) -> None:
    """Also by one who asks for no more than their names; other servers are not among them."""
    await boot(sky)
    answer = await sky.ask("POST", "/servers", wanted(min_count=3, return_reservation_id=True))
    made = json_of(answer)
    answer = await sky.ask("GET", f"/servers?reservation_id={made['reservation_id']}")
    servers = json_of(answer)["servers"]
    # What is as young comes in the order of ids.
    assert sorted(server["name"] for server in servers) == ["vm1-1", "vm1-2", "vm1-3"]
    assert servers[0]["links"][0]["href"].startswith(f"{PUBLIC}/compute/v2.1/servers/")
    detailed = json_of(await sky.ask("GET", f"/servers/detail?reservation_id={made['reservation_id']}"))["servers"]
    assert {server["OS-EXT-AZ:availability_zone"] for server in detailed} <= {"az1", "az2"}
    await sky.ask("DELETE", f"/servers/{servers[2]['id']}")
    left = json_of(await sky.ask("GET", f"/servers?reservation_id={made['reservation_id']}"))["servers"]
    assert [server["id"] for server in left] == [server["id"] for server in servers[:2]]


@pytest.mark.parametrize("count", [1, 3])
async def test_a_reservation_is_answered_also_when_the_pod_does_not_say_its_own(sky: Cloud, count: int) -> None:
    """A client that hears of an error makes them again."""
    sky.wires.deaf = lambda target, call: call.method == "GET" and call.path.startswith("/v2.1/servers/")
    answer = await sky.ask("POST", "/servers", wanted(min_count=count, return_reservation_id=True))
    assert answer.status == 202
    sky.wires.deaf = lambda target, call: False
    query = f"reservation_id={json_of(answer)['reservation_id']}"
    assert len(json_of(await sky.ask("GET", f"/servers?{query}"))["servers"]) == count


async def test_a_boot_whose_copies_nobody_answered_was_not_sent(sky: Cloud) -> None:
    """And leaves nothing: 503, not 504."""
    sky.wires.deaf = lambda target, call: target.pod == "pod1" and call.path.startswith("/v2.1/flavors")
    network = sky.network(project(sky))
    with pytest.raises(UnavailableError):
        await boot(sky, networks=[{"uuid": network}], availability_zone="az1")
    assert is_untouched(sky)


async def test_servers_of_a_call_that_ran_out_of_time_are_taken_back(sky: Cloud) -> None:
    """That takes a time of its own."""
    context = sky.context()
    nova = sky.apps["pod1"].nova
    create = nova._create

    def make(asked: Any) -> Any:
        if nova.servers:
            object.__setattr__(context.deadline, "at", 0.0)
            raise Refusal(403, "No more.")
        return create(asked)

    nova._create = make  # type: ignore[method-assign]
    body = wanted(min_count=2, networks=[{"uuid": sky.network(project(sky))}], availability_zone="az1")
    assert (await sky.ask("POST", "/servers", body, context=context)).status == 403
    assert nova.servers == {}


async def test_a_volume_pins_the_pod(sky: Cloud) -> None:
    volume = "77777777-0000-0000-0000-000000000000"
    await sky.routings.record(Kind.VOLUME, volume, PodId("pod2"), ProjectId(project(sky)))
    device = {"uuid": volume, "source_type": "volume", "destination_type": "volume", "boot_index": 0}
    await boot(sky, block_device_mapping_v2=[device], imageRef="")
    assert sky.apps["pod2"].nova.servers
    with pytest.raises(InvalidRequestError, match=r"Server is in: az1\. Volumes are in: az2\."):
        await boot(sky, block_device_mapping_v2=[device], imageRef="", availability_zone="az1")


async def test_an_image_of_a_server_with_volumes_pins_the_pod(sky: Cloud) -> None:
    """Its snapshots are in one pod only, and nothing of the request says so."""
    snapshot = "77777777-0000-0000-0000-000000000001"
    await sky.routings.record(Kind.SNAPSHOT, snapshot, PodId("pod2"), ProjectId(project(sky)))
    root = {"source_type": "snapshot", "destination_type": "volume", "boot_index": 0, "snapshot_id": snapshot}
    facts = {"name": "of vm1", "bdm_v2": "True", "block_device_mapping": msgspec.json.encode([root]).decode()}
    image = sky.apps["central"].glance.put({**facts, "visibility": "private"}, b"", project(sky))
    server_id = (await boot(sky, imageRef=image))["id"]
    assert server_id in sky.apps["pod2"].nova.servers
    with pytest.raises(InvalidRequestError, match=r"Server is in: az1\. Volumes are in: az2\."):
        await boot(sky, imageRef=image, availability_zone="az1")
    gone = msgspec.json.encode([{**root, "snapshot_id": NOBODY}]).decode()
    image = sky.apps["central"].glance.put({**facts, "block_device_mapping": gone}, b"", project(sky))
    with pytest.raises(InvalidRequestError, match=f"Snapshot {NOBODY} could not be found"):
        await boot(sky, imageRef=image)
