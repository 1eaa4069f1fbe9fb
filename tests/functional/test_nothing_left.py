# SPDX-License-Identifier: Apache-2.0
"""A tenant makes one of everything that networks know, uses it in two pods, and deletes it: is anything left anywhere?

A friend has a server on a network of his. What a tenant cannot delete stays until an operator removes the project: the
default group, with its copies, and the bindings.
"""

import asyncio
from collections.abc import Iterator

import pytest

from tests.functional.network_tables import Tables
from tests.functional.region_world import CONF, ZONES, Json, Region, eventually, ids, unique
from tests.functional.tenants import Tenant
from tricircle.conf.load import load
from tricircle.ledger.quarantine import Quarantine
from tricircle.store.engine import create_engine, transaction
from tricircle.store.reservations import UsageRows

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1200)]

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxhYi1rZXktb25seS1mb3ItdGVzdHMtbm90LXVzZWQh left"
#: Everything of Neutron's that we make copies of.
COLLECTIONS = ("networks", "subnets", "ports", "security-groups", "address-groups", "qos/policies", "trunks")
#: Not about what is, but what was done: operators keep it as long as they like.
MEMORY = ("tricircle_job_history",)
#: Whose answers make the gateway look anew at what is used.
LIMITS = ("compute", "block-storage")


@pytest.fixture
def leaver(region: Region) -> Iterator[Tenant]:
    """A project of this test's own: it is gone at the end, whatever happens."""
    made = Tenant(region)
    yield made
    made.sweep()


@pytest.fixture
def friend(region: Region) -> Iterator[Tenant]:
    made = Tenant(region)
    yield made
    made.sweep()


class Estate:
    """One of everything, used in both pods."""

    def __init__(self, tenant: Tenant, friend: Tenant, flavor: Json, image_id: str) -> None:
        self.friend = friend
        self.tenant, self.here = tenant, tenant.here
        self.pair = self.here.make("compute", "os-keypairs", "keypair", name=unique(), public_key=PUBLIC_KEY)
        self.together = self.here.make(
            "compute", "os-server-groups", "server_group", name=unique(), policy="soft-anti-affinity"
        )
        self.policy = self._policy()
        self.friends = self.here.make("network", "address-groups", "address_group", name=unique(),
                                      addresses=["192.0.2.0/24"])  # fmt: skip
        self.web, self.db = (self.here.make("network", "security-groups", "security_group", name=unique())
                             for _ in range(2))  # fmt: skip
        for group, remote in (
            (self.web, {"remote_group_id": self.db["id"]}),
            (self.db, {"remote_group_id": self.web["id"]}),
            (self.web, {"remote_address_group_id": self.friends["id"]}),
        ):
            values = {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4", **remote}
            self.here.make("network", "security-group-rules", "security_group_rule", **values)
        self.scope = self.here.make("network", "address-scopes", "address_scope", name=unique(), ip_version=4)
        self.pool = self.here.make(
            "network", "subnetpools", "subnetpool", name=unique(), prefixes=["10.72.0.0/16"],
            default_prefixlen=24, address_scope_id=self.scope["id"],
        )  # fmt: skip
        self.front, self.back = tenant.network("10.71.0.0/24"), self._pooled()
        self.share = self.here.make(
            "network", "rbac-policies", "rbac_policy", object_type="network", object_id=self.front["id"],
            action="access_as_shared", target_tenant=friend.project_id,
        )  # fmt: skip
        self.here.make(
            "network", "subnets", "subnet", network_id=self.front["id"], ip_version=6, cidr="fd71::/64",
            ipv6_ra_mode="dhcpv6-stateful", ipv6_address_mode="dhcpv6-stateful",
        )  # fmt: skip
        self.ports = [self._port(self.front, security_groups=[self.web["id"], self.db["id"]]) for _ in ZONES]
        sub_port = self._port(self.back)
        tag = {"port_id": sub_port["id"], "segmentation_type": "vlan", "segmentation_id": 71}
        self.trunk = self.here.make("network", "trunks", "trunk", port_id=self.ports[0]["id"], sub_ports=[tag])
        self.ports.append(sub_port)
        self.servers = [
            self._booted(
                tenant, zone, flavorRef=flavor["id"], imageRef=image_id, key_name=self.pair["name"],
                networks=[{"port": self.ports[number]["id"]}, {"uuid": self.front["id"]}],
            )
            for number, zone in enumerate(ZONES.values())
        ]  # fmt: skip
        self.volumes = [tenant.volume(zone) for zone in ZONES.values()]
        self.guest = self._booted(
            friend, ZONES["Pod2"], flavorRef=flavor["id"], imageRef=image_id, networks=[{"uuid": self.front["id"]}]
        )

    def _pooled(self) -> Json:
        """A network with a subnet of the pool."""
        network = self.here.make("network", "networks", "network", name=unique())
        values = {"network_id": network["id"], "ip_version": 4, "subnetpool_id": self.pool["id"], "name": unique()}
        self.here.make("network", "subnets", "subnet", **values)
        return network

    def _booted(self, who: Tenant, zone: str, **fields: object) -> str:
        """A server. A boot that needs everything at once may be too much for a busy pod: then again, as it says."""
        answer = eventually(
            lambda: who.boot(zone, **fields), lambda said: said.status_code != 503, f"a boot in {zone}", 300
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["server"]["id"])

    def _policy(self) -> Json:
        """Only administrators may make one."""
        admin = self.tenant.region.admin
        policy = admin.make("network", "qos/policies", "policy", name=unique(), project_id=self.tenant.project_id)
        path = f"qos/policies/{policy['id']}/bandwidth_limit_rules"
        admin.make("network", path, "bandwidth_limit_rule", max_kbps=1000, max_burst_kbps=100)
        return policy

    def _port(self, network: Json, **values: object) -> Json:
        return self.here.make(
            "network", "ports", "port", network_id=network["id"], qos_policy_id=self.policy["id"], **values
        )

    def use(self) -> None:
        """Servers run, disks are in them, and interfaces come and go."""
        assert self.friend.active(self.guest)["status"] == "ACTIVE"
        for server_id, volume in zip(self.servers, self.volumes, strict=True):
            assert self.tenant.active(server_id)["status"] == "ACTIVE"
            attach = {"volumeAttachment": {"volumeId": volume["id"]}}
            self.here.good("POST", "compute", f"/servers/{server_id}/os-volume_attachments", attach)
            self.tenant.reached("block-storage", f"/volumes/{volume['id']}", "volume", "in-use")
            interface = {"interfaceAttachment": {"net_id": self.back["id"]}}
            self.here.good("POST", "compute", f"/servers/{server_id}/os-interface", interface)

    def leave(self) -> None:
        """The tenant deletes all of it, most of it while the rest is still going."""
        here = self.here
        self.friend.gone("compute", f"/servers/{self.guest}")
        for server_id in self.servers:
            self.tenant.gone("compute", f"/servers/{server_id}")
        for volume in self.volumes:
            self.tenant.reached("block-storage", f"/volumes/{volume['id']}", "volume", "available")
            self.tenant.gone("block-storage", f"/volumes/{volume['id']}")
        eventually(
            lambda: here.delete("network", f"/trunks/{self.trunk['id']}"), lambda said: said in (204, 404), "trunk"
        )
        for port in self.ports:
            assert here.delete("network", f"/ports/{port['id']}") == 204
        share = f"/rbac-policies/{self.share['id']}"
        eventually(lambda: here.delete("network", share), lambda said: said == 204, "the share")
        for network in (self.front, self.back):
            eventually(
                lambda one=network: here.delete("network", f"/networks/{one['id']}"),  # type: ignore[misc]
                lambda said: said in (204, 404),
                "network",
            )
        assert here.delete("network", f"/subnetpools/{self.pool['id']}") == 204
        assert here.delete("network", f"/address-scopes/{self.scope['id']}") == 204
        for group in (self.web, self.db):
            assert here.delete("network", f"/security-groups/{group['id']}") == 204
        assert here.delete("network", f"/address-groups/{self.friends['id']}") == 204
        assert here.delete("compute", f"/os-keypairs/{self.pair['name']}") in (202, 204)
        assert here.delete("compute", f"/os-server-groups/{self.together['id']}") == 204
        policy = f"/qos/policies/{self.policy['id']}"
        assert self.tenant.region.admin.delete("network", policy) == 204


class Looker:
    """What of a project is where."""

    def __init__(self, tenant: Tenant, friend: Tenant) -> None:
        self.tenant, self.friend = tenant, friend
        self.settings = load(["--config-file", str(CONF)], prog="test")
        self.tables = Tables(self.settings.database.connection)
        self.mine: set[str] = set()

    def remember(self) -> None:
        """Ids at the centre of all that the project has now."""
        for collection in COLLECTIONS:
            found = self.tenant.region.centre.list("network", collection, project_id=self.tenant.project_id)
            self.mine |= set(ids(found))

    def marked(self) -> dict[str, list[str]]:
        """By pod and collection: names of what has the mark of something of the project's."""
        found = {
            f"{pod} {collection}": sorted(
                str(thing["name"])
                for thing in operator.list("network", collection)
                if str(thing.get("description") or "").removeprefix("tricircle:") in self.mine
            )
            for pod, operator in self.tenant.region.pods.items()
            for collection in COLLECTIONS
        }
        return {key: names for key, names in found.items() if names}

    def used(self) -> dict[str, list[str]]:
        """What else the user has in pods."""
        found: dict[str, list[str]] = {}
        for pod in ZONES:
            inside = self.tenant.inside[pod]
            found[f"{pod} key pairs"] = [str(one["keypair"]["name"]) for one in inside.list("compute", "os-keypairs")]
            for collection in ("servers", "os-server-groups"):
                found[f"{pod} {collection}"] = ids(inside.list("compute", collection))
            found[f"{pod} volumes"] = ids(inside.list("block-storage", "volumes"))
            for who in (self.tenant, self.friend):
                shared = self.tenant.region.pods[pod].list("network", "rbac-policies", target_tenant=who.project_id)
                found[f"{pod} shares with {who.name}"] = ids(shared)
        return {key: names for key, names in found.items() if names}

    def rows(self) -> dict[str, list[Json]]:
        """Rows of ours that name the project, or a resource of it, by table.

        What workers tidy up now and then is tidied up first: what waited in quarantine and is held by no pod any more,
        and what pods of which nobody needs to know it said of usage.
        """
        asyncio.run(self._tidy())
        found: dict[str, list[Json]] = {}
        for table, column in self._columns():
            wanted = [self.tenant.project_id] if column == "project_id" else sorted(self.mine)
            marks = ", ".join(["%s"] * len(wanted))
            rows = self.tables.run(f"SELECT * FROM {table} WHERE {column} IN ({marks})", *wanted)
            if rows:
                found[table] = rows
        return found

    async def _tidy(self) -> None:
        engine = create_engine(self.settings.database)
        try:
            await Quarantine(engine).purge(older_than_s=0)
            async with transaction(engine) as connection:
                await UsageRows.purge(connection, unused_s=0, limit=1000)
        finally:
            await engine.dispose()

    def reservations(self) -> list[Json]:
        """What counts as being made, after the pods were asked what is there."""
        for service in LIMITS:
            self.tenant.here.good("GET", service, "/limits")
        return self.tables.run("SELECT * FROM tricircle_reservations WHERE project_id = %s", self.tenant.project_id)

    def _columns(self) -> list[tuple[str, str]]:
        sql = (
            "SELECT table_name AS tab, column_name AS col FROM information_schema.columns "
            "WHERE table_schema = DATABASE() "
            "AND table_name LIKE 'tricircle%%' AND column_name IN ('project_id', 'central_id', 'resource_id')"
        )
        found = [(str(row["tab"]), str(row["col"])) for row in self.tables.run(sql)]
        assert ("tricircle_routings", "central_id") in found
        return [(table, column) for table, column in found if table not in MEMORY]


def test_nothing_with_our_mark_is_left(leaver: Tenant, friend: Tenant, flavor: Json, image_id: str) -> None:
    estate, looker = Estate(leaver, friend, flavor, image_id), Looker(leaver, friend)
    estate.use()
    looker.remember()
    there = looker.marked()
    for pod in ZONES:
        has = {key.partition(" ")[2] for key in there if key.startswith(pod)}
        assert has >= {"networks", "subnets", "ports", "security-groups", "address-groups", "qos/policies"}
    assert "Pod1 trunks" in there

    estate.leave()
    (default,) = leaver.region.centre.list("network", "security-groups", project_id=leaver.project_id)
    of_default = {f"{pod} security-groups": [f"tricircle-{default['id']}"] for pod in ZONES}

    def is_default(found: dict[str, list[str]]) -> bool:
        return all(found.get(key) in (None, names) for key, names in of_default.items()) and all(
            key.endswith(("security-groups", "address-groups")) and len(names) == 1 for key, names in found.items()
        )

    eventually(looker.marked, is_default, "only copies of the default group are left")
    eventually(looker.used, lambda left: not left, "nothing of the user is in pods")
    eventually(
        looker.rows,
        lambda left: (
            {str(row["central_id"]) for row in left.get("tricircle_routings", [])} <= {str(default["id"])}
            and not left.get("tricircle_jobs")
        ),
        "no row speaks of what was deleted",
    )

    # Of what was made last nobody knows for a while whether more may come of it (0023).
    eventually(looker.reservations, lambda left: not left, "nothing counts as being made", 300)

    # The project goes, too.
    centre = leaver.region.centre
    assert leaver.region.admin.delete("network", f"/security-groups/{default['id']}") == 204
    eventually(looker.marked, lambda left: not left, "nothing with our mark")
    bindings = leaver.region.operate("GET", "/bindings").json()["pod_bindings"]
    for binding in bindings:
        if binding["tenant_id"] == leaver.project_id:
            assert leaver.region.operate("DELETE", f"/bindings/{binding['id']}").status_code == 200
    assert not centre.list("network", "ports", project_id=leaver.project_id)
    eventually(looker.rows, lambda left: not left, "no row names the project", 60)
