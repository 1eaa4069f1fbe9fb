# SPDX-License-Identifier: Apache-2.0
"""Interfaces that an administrator of another project attaches to a tenant's server, and what operators wrote into
ports of tenants, in real pods.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.topology import PASSWORD
from tests.functional.region_world import ZONES, Caller, Json, Region, eventually, sign_in
from tests.functional.tenants import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

#: What an operator writes for hosts with such devices. Text: Neutron has a field for the truth value.
WRITTEN: Json = {"capabilities": ["switchdev"], "trusted": "true"}
_HINTS: Json = {"openvswitch": {"other_config": {"tx-steering": "hash"}}}


@pytest.fixture(scope="module")
def stranger(region: Region) -> Iterator[Caller]:
    """An administrator whose own project may have no port at all."""
    made = Tenant(region)
    (role,) = region.admin.list("identity", "roles", name="admin")
    where = f"/projects/{made.project_id}/users/{made.user_id}/roles/{role['id']}"
    region.admin.good("PUT", "identity", where)
    region.centre.good("PUT", "network", f"/quotas/{made.project_id}", {"quota": {"port": 0}})
    yield made.sign_in()
    made.sweep()


@pytest.fixture
def operator(region: Region) -> Caller:
    """Whoever may write profiles: that takes the role ``service``."""
    service = {"name": "service", "domain": {"id": "default"}}
    return sign_in(region.identity, "nova", PASSWORD, service, region.doors)


class Machine:
    """A server of the tenant's in one AZ, on a network of his."""

    def __init__(self, tenant: Tenant, cidr: str, **wanted: object) -> None:
        self.tenant, self.centre = tenant, tenant.region.centre
        self.network = tenant.network(cidr)
        self.wanted = wanted
        self.servers: list[str] = []

    def boot(self, zone: str, **networks: object) -> str:
        """A server that runs; its id."""
        server_id = self.tenant.booted(zone, networks=[networks], **self.wanted)
        self.servers.append(server_id)
        self.tenant.active(server_id)
        return server_id

    def port(self, maker: Caller | None = None, **fields: object) -> Json:
        """A port on the network, of the maker's project unless it is said otherwise."""
        values = {"network_id": self.network["id"], **fields}
        return (maker or self.tenant.here).make("network", "ports", "port", **values)

    def at_centre(self, port_id: object) -> Json:
        """A port as operators see it; empty when it is gone."""
        answer = self.centre("GET", "network", f"/ports/{port_id}")
        assert answer.status_code in (200, 404), answer.text
        found: Json = answer.json()["port"] if answer.status_code == 200 else {}
        return found

    def in_pod(self, pod: str, port_id: object) -> Json:
        """The copy of a port."""
        (copy,) = self.tenant.region.pods[pod].list("network", "ports", description=f"tricircle:{port_id}")
        return copy

    def freed(self, port_id: object) -> Json:
        """A port of the tenant's once no server has it."""
        return eventually(
            lambda: self.at_centre(port_id),
            lambda seen: (seen["device_id"], seen["binding:host_id"]) == ("", ""),
            f"port {port_id} is let go",
        )

    def default_group(self) -> str:
        groups = self.tenant.here.list("network", "security-groups", name="default")
        (group,) = [one for one in groups if one["project_id"] == self.tenant.project_id]
        return str(group["id"])

    def held(self, project_id: str) -> list[Json]:
        """What a project has in pods, or is shared there, but for the group that Neutron makes by itself."""
        return [
            one
            for pod in self.tenant.region.pods.values()
            for collection in ("ports", "security-groups", "rbac-policies")
            for one in pod.list("network", collection)
            if project_id in (one["project_id"], one.get("target_tenant"))
            and (one.get("name"), one.get("description")) != ("default", "Default security group")
        ]


@pytest.fixture
def machine(tenant: Tenant, flavor: Json, image_id: str) -> Iterator[Machine]:
    made = Machine(tenant, "10.62.0.0/24", flavorRef=flavor["id"], imageRef=image_id)
    yield made
    for server_id in made.servers:
        tenant.gone("compute", f"/servers/{server_id}")


def attach(caller: Caller, server_id: str, **what: object) -> tuple[int, Json]:
    """Status and answer."""
    answer = caller("POST", "compute", f"/servers/{server_id}/os-interface", {"interfaceAttachment": what})
    return answer.status_code, answer.json()


@contextmanager
def one_more_port(region: Region, tenant: Tenant) -> Iterator[None]:
    """The tenant may have one port more than he has."""
    mine = [one for one in region.centre.list("network", "ports") if one["project_id"] == tenant.project_id]
    path = f"/quotas/{tenant.project_id}"
    region.centre.good("PUT", "network", path, {"quota": {"port": len(mine) + 1}})
    try:
        yield
    finally:
        assert region.centre.delete("network", path) == 204


def test_an_administrator_of_another_project_attaches_and_detaches(
    region: Region, tenant: Tenant, stranger: Caller, machine: Machine
) -> None:
    network_id = machine.network["id"]
    server_id = machine.boot("az1", uuid=network_id)
    brought = machine.port()
    with one_more_port(region, tenant):
        status, made = attach(stranger, server_id, net_id=network_id)
        assert status == 200, made
        status, said = attach(stranger, server_id, net_id=network_id)
        assert (status, said["forbidden"]["message"]) == (403, "Maximum number of ports exceeded"), "the tenant's limit"
    ours = made["interfaceAttachment"]["port_id"]
    status, given = attach(stranger, server_id, port_id=brought["id"])
    assert status == 200, given
    assert given["interfaceAttachment"]["port_id"] == brought["id"]
    for port_id in (ours, brought["id"]):
        port = machine.at_centre(port_id)
        assert (port["project_id"], port["device_id"], port["binding:host_id"]) == (
            tenant.project_id,
            server_id,
            "Pod1",
        )
        assert port["security_groups"] == [machine.default_group()]
        assert machine.in_pod("Pod1", port_id)["project_id"] == tenant.project_id
    shown = tenant.here.good("GET", "compute", f"/servers/{server_id}/os-interface")["interfaceAttachments"]
    assert {ours, brought["id"]} < {one["port_id"] for one in shown}
    assert len(shown) == 3
    assert machine.held(stranger.project_id) == []

    for port_id in (ours, brought["id"]):
        assert stranger.delete("compute", f"/servers/{server_id}/os-interface/{port_id}") == 202
    assert machine.freed(brought["id"])["device_owner"] == ""
    eventually(lambda: machine.at_centre(ours), lambda seen: not seen, "our port is gone")
    pod = region.pods["Pod1"]
    eventually(
        lambda: len(pod.list("network", "ports", device_id=server_id)), lambda seen: seen == 1, "one interface is left"
    )
    assert machine.held(stranger.project_id) == []


def test_groups_that_a_foreign_administrator_gives_are_the_tenants(
    region: Region, tenant: Tenant, stranger: Caller, machine: Machine
) -> None:
    """Also to what he attached; his own of the same name stay away."""
    server_id = machine.boot("az1", uuid=machine.network["id"])
    status, made = attach(stranger, server_id, net_id=machine.network["id"])
    assert status == 200, made
    group = tenant.here.make("network", "security-groups", "security_group", name="web")
    answer = stranger("POST", "compute", f"/servers/{server_id}/action", {"addSecurityGroup": {"name": group["id"]}})
    assert answer.status_code == 202, answer.text
    ports = region.centre.list("network", "ports", device_id=server_id)
    assert [set(port["security_groups"]) for port in ports] == [{machine.default_group(), group["id"]}] * 2
    for copy in region.pods["Pod1"].list("network", "ports", device_id=server_id):
        names = [
            region.pods["Pod1"].good("GET", "network", f"/security-groups/{one}") for one in copy["security_groups"]
        ]
        marks = {one["security_group"]["description"] for one in names}
        assert marks == {f"tricircle:{machine.default_group()}", f"tricircle:{group['id']}"}
    shown = tenant.here.good("GET", "compute", f"/servers/{server_id}/os-security-groups")["security_groups"]
    assert {one["id"] for one in shown} == {machine.default_group(), group["id"]}
    assert machine.held(stranger.project_id) == []


def test_a_server_gets_no_port_of_the_administrators_project(
    region: Region, stranger: Caller, machine: Machine
) -> None:
    """As in one cloud."""
    server_id = machine.boot("az1", uuid=machine.network["id"])
    foreign = machine.port(region.admin)
    try:
        status, said = attach(stranger, server_id, port_id=foreign["id"])
        text = f"Port {foreign['id']} not usable for instance {server_id}."
        assert (status, said["badRequest"]["message"]) == (400, text)
        assert machine.at_centre(foreign["id"])["device_id"] == ""
    finally:
        assert region.admin.delete("network", f"/ports/{foreign['id']}") == 204
    assert machine.held(stranger.project_id) == []


def test_what_an_operator_writes_into_a_port_is_in_its_pod_and_stays(
    tenant: Tenant, operator: Caller, machine: Machine
) -> None:
    """After a detach, and after the end of a server; in every pod where the port is."""
    port = machine.port()
    operator.good("PUT", "network", f"/ports/{port['id']}", {"port": {"binding:profile": WRITTEN}})
    first = machine.boot("az1", uuid=machine.network["id"])
    status, said = attach(tenant.here, first, port_id=port["id"])
    assert status == 200, said
    assert machine.in_pod("Pod1", port["id"])["binding:profile"] == WRITTEN
    assert tenant.here.delete("compute", f"/servers/{first}/os-interface/{port['id']}") == 202
    assert machine.freed(port["id"])["binding:profile"] == WRITTEN
    second = machine.boot("az2", port=port["id"])
    assert machine.in_pod("Pod2", port["id"])["binding:profile"] == WRITTEN
    tenant.gone("compute", f"/servers/{second}")
    assert machine.freed(port["id"])["binding:profile"] == WRITTEN


def test_what_we_keep_in_a_port_of_ours_is_in_no_pod(region: Region, machine: Machine) -> None:
    server_id = machine.boot("az1", uuid=machine.network["id"])
    (port,) = region.centre.list("network", "ports", device_id=server_id)
    assert port["binding:profile"] == {"tricircle": {"origin": "gateway", "asked_az": "az1"}}
    assert machine.in_pod("Pod1", port["id"])["binding:profile"] == {}


@pytest.mark.parametrize("pod", list(ZONES))
def test_trust_is_the_same_where_it_is_a_field_and_where_it_is_none(
    region: Region, tenant: Tenant, machine: Machine, pod: str
) -> None:
    port = machine.port(region.admin, trusted=True, project_id=tenant.project_id)
    assert (port["trusted"], port["project_id"]) == (True, tenant.project_id)
    machine.boot(ZONES[pod], port=port["id"])
    copy = machine.in_pod(pod, port["id"])
    assert copy["binding:profile"] == {"trusted": True}
    if "port-trusted-vif" not in aliases(region, pod):
        return
    assert copy["trusted"] is True
    region.admin.good("PUT", "network", f"/ports/{port['id']}", {"port": {"trusted": False}})
    eventually(lambda: machine.in_pod(pod, port["id"])["trusted"], lambda seen: seen is False, "trust follows")


@pytest.mark.parametrize("pod", list(ZONES))
def test_hints_are_where_they_are_known_and_refused_elsewhere(
    region: Region, tenant: Tenant, machine: Machine, pod: str
) -> None:
    port = machine.port(region.admin, hints=_HINTS, project_id=tenant.project_id)
    if "port-hints" in aliases(region, pod):
        machine.boot(ZONES[pod], port=port["id"])
        assert machine.in_pod(pod, port["id"])["hints"] == _HINTS
        region.admin.good("PUT", "network", f"/ports/{port['id']}", {"port": {"hints": None}})
        eventually(lambda: machine.in_pod(pod, port["id"])["hints"], lambda seen: seen is None, "hints follow")
        return
    refused = tenant.boot(ZONES[pod], networks=[{"port": port["id"]}], **machine.wanted)
    assert refused.status_code == 409, refused.text
    assert refused.json()["conflictingRequest"]["message"].startswith(f"Port {port['id']} has hints, which ")
    marked = {"description": f"tricircle:{machine.network['id']}"}
    assert region.pods[pod].list("network", "networks", **marked) == []
    assert machine.at_centre(port["id"])["device_id"] == ""


def aliases(region: Region, pod: str) -> set[str]:
    """The extensions of a pod's Neutron."""
    return {str(one["alias"]) for one in region.pods[pod].list("network", "extensions")}
