# SPDX-License-Identifier: Apache-2.0
"""Is everything that pods hold known again after the tables were lost, and after they fell back?

Population, loss and recovery are real: stock services, stock tenants, ``tricircle-manage`` as an operator types it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.lost_books import Books, Dump
from tests.functional.region_world import Json, Region, eventually, unique
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
        code, said = books.manage("recover")
        assert code == 0, said
        assert difference(before, books.known()) == {}
        assert books.tables.run("SELECT * FROM tricircle_jobs") == []
        code, said = books.manage("recover", "--json")
        assert (code, '"written": 0' in said) == (0, True)
    assert population.views() == seen
    population.goes_on()
