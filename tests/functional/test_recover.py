# SPDX-License-Identifier: Apache-2.0
"""Is everything that pods hold known again after the tables were lost, and after they fell back?

Population, loss and recovery are real: stock services, stock tenants, ``tricircle-manage`` as an operator types it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.lost_books import Books, Dump
from tests.functional.region_world import Caller, Json, Region, eventually, unique
from tests.functional.tenants import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxhYi1rZXktb25seS1mb3ItdGVzdHMtbm90LXVzZWQh recover"


@pytest.fixture
def books() -> Books:
    return Books()


class Population:
    """What a busy tenant has in both pods."""

    def __init__(self, tenant: Tenant, flavor: Json, image_id: str) -> None:
        self.tenant, self.flavor, self.image_id = tenant, flavor, image_id
        here, admin = tenant.here, tenant.region.admin
        self.pair = here.make("compute", "os-keypairs", "keypair", name=unique(), public_key=PUBLIC_KEY)
        self.group = here.make("compute", "os-server-groups", "server_group", name=unique(), policy="anti-affinity")
        self.web = here.make("network", "security-groups", "security_group", name=unique())
        for rule in (
            {"protocol": "tcp", "port_range_min": 80, "port_range_max": 80},
            {"remote_group_id": self.web["id"]},
        ):
            values = {"security_group_id": self.web["id"], "direction": "ingress", "ethertype": "IPv4", **rule}
            here.make("network", "security-group-rules", "security_group_rule", **values)
        self.front, self.back = tenant.network("10.61.0.0/24"), tenant.network("10.62.0.0/24")
        self.six = here.make(
            "network", "subnets", "subnet", network_id=self.front["id"], ip_version=6, cidr="fd61::/64", name=unique(),
            ipv6_ra_mode="dhcpv6-stateful", ipv6_address_mode="dhcpv6-stateful",
        )  # fmt: skip
        self.alone = here.make("network", "networks", "network", name=unique())
        here.make("network", "subnets", "subnet", network_id=self.alone["id"], ip_version=4, cidr="10.63.0.0/24",
                  gateway_ip=None, name=unique())  # fmt: skip
        self.port = here.make("network", "ports", "port", network_id=self.front["id"], name="mine")
        self.type = admin.make("block-storage", "types", "volume_type", name=unique(), extra_specs={"fn:colour": "red"})
        name = unique("fn-private")
        self.private = admin.make(
            "compute", "flavors", "flavor", name=name, id=name, ram=64, vcpus=1, disk=1,
            **{"os-flavor-access:is_public": False},
        )  # fmt: skip
        access = {"addTenantAccess": {"tenant": tenant.project_id}}
        admin.good("POST", "compute", f"/flavors/{name}/action", access)
        self.servers: list[str] = []
        self.volumes: list[Json] = []

    def settle(self) -> "Population":
        """Boot and make everything."""
        tenant, here = self.tenant, self.tenant.here
        front, back, alone = ({"uuid": one["id"]} for one in (self.front, self.back, self.alone))
        self.servers = [
            self.boot("az1", self.flavor, [front, {"port": self.port["id"]}], key_name=self.pair["name"],
                      security_groups=[{"name": self.web["name"]}]),
            self.boot("az2", self.flavor, [front, back]),
            self.boot(None, self.private, [alone]),
            self.boot("az2", self.private, [alone]),
        ]  # fmt: skip
        for server_id in self.servers:
            assert tenant.active(server_id)["status"] == "ACTIVE"
        self.volumes = [tenant.volume("az1", volume_type=self.type["name"]), tenant.volume("az2")]
        snapshot = here.make("block-storage", "snapshots", "snapshot", volume_id=self.volumes[0]["id"], name=unique())
        tenant.reached("block-storage", f"/snapshots/{snapshot['id']}", "snapshot", "available")
        attach = {"volumeAttachment": {"volumeId": self.volumes[0]["id"]}}
        here.good("POST", "compute", f"/servers/{self.servers[0]}/os-volume_attachments", attach)
        tenant.reached("block-storage", f"/volumes/{self.volumes[0]['id']}", "volume", "in-use")
        # What services make by themselves is written down when somebody asks for it.
        for attachment in here.list("block-storage", "attachments"):
            here.good("GET", "block-storage", f"/attachments/{attachment['id']}")
        return self

    def boot(self, zone: str | None, flavor: Json, networks: list[Json], **fields: object) -> str:
        return self.tenant.booted(
            zone, flavorRef=flavor["id"], imageRef=self.image_id, networks=networks, **fields
        )  # fmt: skip

    def views(self) -> Json:
        """What the tenant sees of it."""
        here = self.tenant.here
        servers = here.list("compute", "servers/detail")
        volumes = here.list("block-storage", "volumes/detail")
        return {
            "servers": sorted((s["id"], s["status"], str(s["addresses"]), s["key_name"]) for s in servers),
            "interfaces": {
                one: sorted(i["port_id"] for i in here.good("GET", "compute", f"/servers/{one}/os-interface")
                            ["interfaceAttachments"])
                for one in self.servers
            },
            "volumes": sorted((v["id"], v["status"], v["volume_type"]) for v in volumes),
        }  # fmt: skip

    def goes_on(self) -> None:
        """A server more on the same networks has addresses of its own, and whatever is deleted goes everywhere."""
        tenant, centre = self.tenant, self.tenant.region.centre
        ports = {port["id"]: port for port in centre.list("network", "ports", project_id=tenant.project_id)}
        networks = [{"uuid": self.front["id"]}, {"uuid": self.back["id"]}]
        another = self.boot("az1", self.flavor, networks, key_name=self.pair["name"])
        assert tenant.active(another)["status"] == "ACTIVE"
        fresh = centre.list("network", "ports", device_id=another)
        taken = {(ip["subnet_id"], ip["ip_address"]) for port in ports.values() for ip in port["fixed_ips"]}
        assert len(fresh) == 2
        assert not taken & {(ip["subnet_id"], ip["ip_address"]) for port in fresh for ip in port["fixed_ips"]}
        for server_id in (another, self.servers[0]):
            tenant.gone("compute", f"/servers/{server_id}")
            eventually(
                lambda one=server_id: centre.list("network", "ports", device_id=one),  # type: ignore[misc]
                lambda ports: not ports,
                f"ports of {server_id} let go",
            )
        mine = centre.good("GET", "network", f"/ports/{self.port['id']}")["port"]
        assert (mine["device_owner"], mine["binding:host_id"]) == ("", "")

    def leave(self) -> None:
        """What the tenant's own sweep does not know."""
        admin = self.tenant.region.admin
        here = self.tenant.here
        for server_id in self.servers:
            here.delete("compute", f"/servers/{server_id}")
        eventually(lambda: here.list("compute", "servers"), lambda left: not left, "servers gone")
        for snapshot in here.list("block-storage", "snapshots"):
            self.tenant.gone("block-storage", f"/snapshots/{snapshot['id']}")
        for volume in self.volumes:
            self.tenant.gone("block-storage", f"/volumes/{volume['id']}")
        admin.delete("block-storage", f"/types/{self.type['id']}")
        admin.delete("compute", f"/flavors/{self.private['id']}")


@pytest.fixture
def population(tenant: Tenant, flavor: Json, image_id: str) -> Iterator[Population]:
    made = Population(tenant, flavor, image_id)
    try:
        yield made.settle()
    finally:
        made.leave()


@pytest.fixture
def draining(region: Region, population: Population) -> Iterator[None]:
    """Pod 2 takes nothing new any more."""
    (pod,) = (one for one in region.operate("GET", "/pods").json()["pods"] if one["pod_name"] == "Pod2")
    body = {"pod": {"state": "draining", "dc_name": "south"}}
    assert region.operate("PUT", f"/pods/{pod['pod_id']}", body).status_code == 200
    yield
    body = {"pod": {"state": "enabled", "dc_name": pod["dc_name"]}}
    assert region.operate("PUT", f"/pods/{pod['pod_id']}", body).status_code == 200


def difference(before: Dump, after: Dump) -> dict[str, object]:
    """Rows that only one of them has."""
    return {
        table: {
            "lost": [row for row in before[table] if row not in after[table]],
            "new": [row for row in after[table] if row not in before[table]],
        }
        for table in before
        if before[table] != after[table]
    }


def _vlan(centre: Caller, network: Json) -> int:
    """The VLAN id of a network."""
    return int(centre.good("GET", "network", f"/networks/{network['id']}")["network"]["provider:segmentation_id"])


def _nics(centre: Caller, server_id: str) -> set[tuple[str, str]]:
    """Addresses and MACs of a server as the centre has them."""
    ports = centre.list("network", "ports", device_id=server_id)
    return {(port["mac_address"], ip["ip_address"]) for port in ports for ip in port["fixed_ips"]}


def _id(thing: Json) -> str:
    return str(thing["id"])


def _in_order(thing: Json) -> Json:
    """Neutron shows lists in an object in no order."""
    return {key: sorted(value, key=str) if isinstance(value, list) else value for key, value in thing.items()}


def _everything(tenant: Tenant) -> dict[str, list[Json]]:
    """All that networks consist of in the pods: a recovery changes nothing of it."""
    return {
        f"{name} {collection}": sorted(map(_in_order, operator.list("network", collection)), key=_id)
        for name, operator in tenant.region.pods.items()
        for collection in ("networks", "subnets", "ports", "security-groups", "rbac-policies")
    }


def _pinged(here: Caller) -> Json:
    """A group that lets pings in."""
    group = here.make("network", "security-groups", "security_group", name=unique())
    rule = {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4", "protocol": "icmp"}
    here.make("network", "security-group-rules", "security_group_rule", **rule)
    return group


def _nothing_in_use_is_given(tenant: Tenant, network: Json, vlan_id: int) -> None:
    """Neither the address of an operator's port, nor the VLAN id of a network that only a pod has."""
    body = {"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.65.0.77"}]}}
    assert tenant.inside["RegionOne"]("POST", "network", "/ports", body).status_code == 409
    centre = tenant.region.centre
    like = centre.good("GET", "network", f"/networks/{network['id']}")["network"]
    segment = {name: like[name] for name in ("provider:network_type", "provider:physical_network")}
    body = {"network": {"name": unique(), **segment, "provider:segmentation_id": vlan_id}}
    assert centre("POST", "network", "/networks", body).status_code == 409


def _slices(centre: Caller, network: Json) -> dict[str, Json]:
    """The ports that hold addresses for pods, by id, as far as they must not change."""
    ports = centre.list("network", "ports", network_id=network["id"], device_owner="network:dhcp")
    fields = ("id", "device_id", "binding:host_id", "fixed_ips")
    return {str(port["id"]): {field: port[field] for field in fields} for port in ports}


def _one_original_each(books: Books) -> None:
    """No object in a pod is written down as the copy of two: what takes away one would take away the other."""
    copies = "SELECT pod_id, kind, pod_resource_id FROM tricircle_routings WHERE kind IN ('network', 'subnet', 'port')"
    rows = books.tables.run(copies)
    assert len(rows) == len({tuple(row.values()) for row in rows})


def _clear(books: Books, network_id: str, pod: Caller) -> None:
    """What the sweep would do with a network that nobody knows any more."""
    for copy in pod.list("network", "networks", description=f"tricircle:{network_id}"):
        for port in pod.list("network", "ports", network_id=copy["id"]):
            pod.delete("network", f"/ports/{port['id']}")
        assert pod.delete("network", f"/networks/{copy['id']}") == 204
    books.tables.run("DELETE FROM tricircle_routings WHERE central_id = %s", network_id)


@pytest.mark.usefixtures("draining")
def test_all_tables_are_lost(population: Population, books: Books, tmp_path: Path) -> None:
    books.drained()
    project_id = population.tenant.project_id
    seen, mine = population.views(), books.known(project_id)
    assert len(mine["routings"]) > 25
    with books.closed(tmp_path / "schema.sql"):
        # Books that are right stay as they are, but for rows of what other tests' servers took with them.
        code, said = books.manage("recover")
        assert code == 0, said
        assert difference(mine, books.known(project_id)) == {}
        before = books.known()
        books.drop()
        code, said = books.manage("recover")
        assert (code, "db upgrade" in said) == (1, True)
        assert books.manage("db", "upgrade")[0] == 0
        code, said = books.manage("recover", "--dry-run")
        assert code == 0, said
        assert books.known()["routings"] == []
        books.interrupted_recovery()
        assert 0 < len(books.known()["routings"]) < len(before["routings"])
        code, said = books.manage("recover")
        assert code == 0, said
        assert difference(before, books.known()) == {}
        assert books.tables.run("SELECT * FROM tricircle_jobs") == []
        code, said = books.manage("recover", "--json")
        assert (code, '"written": 0' in said) == (0, True)
    assert population.views() == seen
    population.goes_on()


def test_our_tables_are_older(tenant: Tenant, flavor: Json, image_id: str, books: Books, tmp_path: Path) -> None:
    """What was made since is written down, what is gone since is not any more, and the rest stays."""
    network = tenant.network("10.64.0.0/24")
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    stays, goes = (tenant.booted("az1", **wanted) for _ in range(2))
    for server_id in (stays, goes):
        tenant.active(server_id)
    books.drained()
    books.dump_tables(tmp_path / "ours.sql")
    tenant.gone("compute", f"/servers/{goes}")
    comes = tenant.booted("az2", **wanted)
    tenant.active(comes)
    volume = tenant.volume("az2")
    books.drained()
    with books.closed(tmp_path / "schema.sql"):
        code, said = books.manage("recover")
        assert code == 0, said
        now = books.known()
        books.load_schema(tmp_path / "ours.sql")
        assert goes in {row["central_id"] for row in books.known()["routings"]}
        code, said = books.manage("recover")
        assert code == 0, said
        assert difference(now, books.known()) == {}
    assert {server["id"] for server in tenant.here.list("compute", "servers")} == {stays, comes}
    for server_id in (stays, comes):
        tenant.gone("compute", f"/servers/{server_id}")
    tenant.gone("block-storage", f"/volumes/{volume['id']}")


def test_what_waits_for_pods_waits_again(
    tenant: Tenant, flavor: Json, image_id: str, books: Books, tmp_path: Path
) -> None:
    """Changes that pods have not seen, and an address that they still let in. Nobody works meanwhile."""
    network, centre = tenant.network("10.66.0.0/24"), tenant.region.centre
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    servers = [tenant.booted(zone, **wanted) for zone in ("az1", "az2")]
    for server_id in servers:
        tenant.active(server_id)
    books.drained()
    (port,) = centre.list("network", "ports", device_id=servers[1])
    (former,) = [ip["ip_address"] for ip in port["fixed_ips"]]
    body = {"port": {"fixed_ips": [{"ip_address": "10.66.0.99"}]}}
    with books.closed(tmp_path / "schema.sql"):
        centre.good("PUT", "network", f"/ports/{port['id']}", body)
        held, waiting = books.held(), books.waiting()
        # Of former members on other networks pods may have let go already: only a job that waits says so yet.
        mine = {row for row in held if row[1:3] == (network["id"], former)}
        (group_id,) = port["security_groups"]
        assert {row[3:] for row in mine} == {("port", port["id"]), ("address_group", group_id)}
        assert {row[0] for row in waiting} == {"port", "address_group"}
        books.drop()
        assert books.manage("db", "upgrade")[0] == 0
        code, said = books.manage("recover")
        assert code == 0, said
        assert mine <= books.held()
        assert waiting <= books.waiting()
        again = {"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": former}]}}
        assert centre("POST", "network", "/ports", again).status_code == 409
    books.drained()
    assert not {row for row in books.held() if row[1:3] == (network["id"], former)}
    for server_id in servers:
        tenant.gone("compute", f"/servers/{server_id}")


@pytest.mark.parametrize("is_all_older", [True, False], ids=["with our tables", "without our tables"])
def test_neutron_is_older(
    tenant: Tenant, flavor: Json, image_id: str, books: Books, tmp_path: Path, *, is_all_older: bool
) -> None:
    """Neutron's tables fell back, too: what runs in pods is made at the centre again, with the same identifiers."""
    centre, pod = tenant.region.centre, tenant.region.pods["Pod1"]
    front = tenant.network("10.65.0.0/24")

    def boot(network: Json, zone: str = "az1", **fields: object) -> str:
        made = tenant.booted(
            zone, flavorRef=flavor["id"], imageRef=image_id, networks=[{"uuid": network["id"]}], **fields
        )
        assert tenant.active(made)["status"] == "ACTIVE"
        return made

    first = boot(front)
    books.drained()
    books.dump_schema(tmp_path / "older.sql")
    group = _pinged(tenant.here)
    fresh, empty = tenant.network("10.66.0.0/24"), tenant.network("10.67.0.0/24")
    second = boot(front, security_groups=[{"name": group["name"]}])
    third, fourth = boot(fresh), boot(fresh, "az2")
    tenant.gone("compute", f"/servers/{boot(empty)}")
    books.drained()
    vlans = {one["id"]: _vlan(centre, one) for one in (fresh, empty)}
    nics = {one: _nics(centre, one) for one in (first, second, third, fourth)}
    (copy,) = pod.list("network", "networks", description=f"tricircle:{front['id']}")
    operators = pod.make(
        "network", "ports", "port", network_id=copy["id"], fixed_ips=[{"ip_address": "10.65.0.77"}], name="operator"
    )
    before = _everything(tenant)
    with books.closed(tmp_path / "schema.sql"):
        books.fall_back(tmp_path / "older.sql", keep=None if is_all_older else tmp_path / "ours.sql")
        assert centre.list("network", "ports", device_id=second) == []
        code, said = books.manage("recover", "--dry-run")
        assert (code, "10.65.0.77" in said, second in said) == (0, True, True), said
        assert centre.list("network", "ports", device_id=second) == []
        code, said = books.manage("recover")
        assert code == 0, said
        assert _everything(tenant) == before
        code, said = books.manage("recover")
        assert code == 0, said
        assert "was unknown" not in said
        # Workers are stopped: they would take away what nobody uses, and then it is free.
        _nothing_in_use_is_given(tenant, front, vlans[empty["id"]])
    _one_original_each(books)
    books.drained()
    assert {one: _nics(centre, one) for one in nics} == nics
    (again,) = centre.list("network", "networks", name=fresh["name"])
    assert (_vlan(centre, again), again["project_id"]) == (vlans[fresh["id"]], tenant.project_id)
    (marked,) = pod.list("network", "networks", name=fresh["name"])
    assert marked["description"] == f"tricircle:{again['id']}"
    (imported,) = centre.list("network", "security-groups", name=group["name"])
    rules = {(one["direction"], one["protocol"]) for one in imported["security_group_rules"]}
    assert ("ingress", "icmp") in rules
    another = boot(front)
    assert _nics(centre, another) & set().union(*nics.values()) == set()
    for server_id in (first, second, third, fourth, another):
        tenant.gone("compute", f"/servers/{server_id}")
    pod.delete("network", f"/ports/{operators['id']}")
    _clear(books, empty["id"], pod)


def test_an_aggregate_of_an_older_release_says_no_id(
    tenant: Tenant, flavor: Json, image_id: str, books: Books, tmp_path: Path
) -> None:
    """The pod gets a new id, and its slices are found by it: no address is taken twice."""
    centre = tenant.region.centre
    network = tenant.network("10.68.0.0/24")
    wanted = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    first, second = tenant.booted("az1", **wanted), tenant.booted("az2", **wanted)
    for server_id in (first, second):
        tenant.active(server_id)
    books.drained()
    before = _slices(centre, network)
    assert len(before) == 2
    (aggregate,) = (one for one in centre.list("compute", "os-aggregates") if one["name"] == "ag_Pod2")
    with books.closed(tmp_path / "schema.sql"):
        books.drop()
        assert books.manage("db", "upgrade")[0] == 0
        names = [name for name in aggregate["metadata"] if name.startswith("tricircle_")]
        change = {"set_metadata": {"metadata": dict.fromkeys(names)}}
        centre.good("POST", "compute", f"/os-aggregates/{aggregate['id']}/action", change)
        code, said = books.manage("recover")
        assert (code, "ag_Pod2 does not say which id its pod had" in said) == (0, True), said
        assert books.tables.run("SELECT * FROM tricircle_jobs") == []
    after = _slices(centre, network)
    assert after.keys() == before.keys()
    assert {port["id"] for port in after.values() if port["device_id"] != before[port["id"]]["device_id"]} == {
        port["id"] for port in after.values() if port["binding:host_id"] == "Pod2"
    }
    third = tenant.booted("az2", **wanted)
    tenant.active(third)
    books.drained()
    assert _slices(centre, network) == after
    for server_id in (first, second, third):
        tenant.gone("compute", f"/servers/{server_id}")
