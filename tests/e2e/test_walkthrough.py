# SPDX-License-Identifier: Apache-2.0
"""Does the classic walk-through work with stock clients, and do the pods hold what they should, and nothing else?

The chapters run in order, on the running lab, as ``make demo`` shows them, and at last what it leaves is deleted. What
the tenant's client receives passes through a recorder; no canary word of a pod may be in it. The pods are looked into
directly, as their operators.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab.walkthrough import ADMIN, OTHER_TENANT, TENANT, Names, Narrator, Walkthrough
from tests.e2e.pods_behind import PodBehind
from tests.e2e.recorder import Recorder
from tests.e2e.split_client import SplitClient

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

NAMES = Names()


@dataclass
class Scene:
    """The walk, what it answered so far, and the pods behind."""

    walk: Walkthrough
    pods: dict[str, PodBehind]
    recorder: Recorder
    words: list[str]
    facts: dict[str, Any]

    def eventually(self, look: Callable[[], Any], good: Callable[[Any], bool], what: str) -> Any:
        """Poll until ``good``, bounded."""
        return self.walk.until(look, good, what, limit_s=60)


@pytest.fixture(scope="module")
def scene(lab_paths: Any, canary_words: list[str]) -> Iterator[Scene]:
    """A tenant's client behind a recorder and an administrator's beside it, on a lab with both pods registered."""
    with Recorder() as recorder, SplitClient(lab_paths, recorder.environment()) as client:
        walk = Walkthrough(client, lab_paths.admin_url, NAMES, Narrator())  # type: ignore[arg-type]
        walk.sweep_leftovers()
        pods = {name: PodBehind(name, lab_paths.clouds) for name in ("pod1", "pod2")}
        yield Scene(walk, pods, recorder, canary_words, {})


def test_1_catalog(scene: Scene) -> None:
    facts = scene.walk.catalog()
    by_type = {service["Type"]: service["Endpoints"] for service in facts["catalog"]}
    assert {
        "compute",
        "compute_legacy",
        "block-storage",
        "volumev3",
        "image",
        "network",
        "identity",
        "Cascading",
    } <= set(by_type)
    regions = {endpoint["region"] for endpoints in by_type.values() for endpoint in endpoints}
    assert regions == {"RegionOne"}
    assert {"RegionOne", "Pod1", "Pod2"} <= {endpoint["Region"] for endpoint in facts["endpoints"]}


def test_2_pods(scene: Scene) -> None:
    facts = scene.walk.pods()
    for name, (status, body) in facts["answers"].items():
        assert status == 200, body
        assert body["pod"]["pod_name"] == name
    assert {(p["pod_name"], p["az_name"]) for p in facts["pods"]} >= {
        ("RegionOne", ""),
        ("Pod1", "az1"),
        ("Pod2", "az2"),
    }
    aggregates = {a["Name"]: a["Availability Zone"] for a in facts["aggregates"]}
    assert aggregates["ag_Pod1"] == "az1"
    assert aggregates["ag_Pod2"] == "az2"
    for kind, zones in facts["zones"].items():
        assert {z["Zone Name"] for z in zones if z["Zone Status"] == "available"} == {"az1", "az2"}, kind


def test_3_declare_touches_no_pod(scene: Scene) -> None:
    facts = scene.facts["declared"] = scene.walk.declare()
    assert facts["flavor"]["id"] == NAMES.flavor_id
    assert facts["image"]["name"] == NAMES.image
    assert NAMES.image in {image["Name"] for image in facts["images"]}
    assert facts["private_key"].startswith("-----BEGIN")
    assert facts["subnet"]["cidr"] == NAMES.cidr
    for pod in scene.pods.values():
        assert pod.marked_but_default_groups() == {}, pod.name


@pytest.mark.parametrize(("zone", "pod", "other"), [("az1", "pod1", "pod2"), ("az2", "pod2", "pod1")])
def test_4_boot(scene: Scene, zone: str, pod: str, other: str) -> None:
    with_own_port = zone == "az1"
    facts = scene.facts[zone] = scene.walk.boot(zone, with_own_port=with_own_port)
    shown, ports = facts["shown"], facts["ports"]
    addresses = [address for port in ports for address in (f["ip_address"] for f in port["Fixed IP Addresses"])]
    assert len(ports) == (2 if with_own_port else 1)
    assert set(shown["addresses"]) == {NAMES.network}
    assert sorted(shown["addresses"][NAMES.network]) == sorted(addresses)
    assert shown["status"] == "ACTIVE"
    assert shown["OS-EXT-AZ:availability_zone"] == zone
    assert shown["key_name"] == NAMES.key
    assert shown["properties"] == dict(NAMES.properties)
    assert {group["name"] for group in shown["security_groups"]} == {NAMES.group, "default"}
    assert NAMES.image in str(shown["image"])
    assert NAMES.flavor in str(shown["flavor"])
    assert all(port["Status"] == "ACTIVE" for port in scene.eventually(
        lambda: scene.walk.client.json(TENANT, "port", "list", "--server", NAMES.servers[zone], "--long"),
        lambda now: all(port["Status"] == "ACTIVE" for port in now),
        "ports ACTIVE",
    ))  # fmt: skip
    inside = scene.pods[pod].server(shown["id"])
    assert inside is not None
    assert inside["OS-EXT-SRV-ATTR:user_data"] == facts["user_data"]
    assert scene.pods[other].server(shown["id"]) is None
    assert (inside["flavor"]["ram"], inside["flavor"]["vcpus"], inside["flavor"]["disk"]) == (128, 1, 1)
    copies = {port["mac_address"]: port for port in scene.pods[pod].marked()["ports"]}
    for port in ports:
        copy = copies[port["MAC Address"]]
        assert copy["description"] == f"tricircle:{port['ID']}"
        assert sorted(f["ip_address"] for f in copy["fixed_ips"]) == sorted(
            f["ip_address"] for f in port["Fixed IP Addresses"]
        )
        assert copy["device_id"] == shown["id"]


def test_4_one_network_one_copy_a_pod(scene: Scene) -> None:
    network = scene.facts["declared"]["network"]["id"]
    segments = set()
    for pod in scene.pods.values():
        copies = [n for n in pod.marked()["networks"] if n["description"] == f"tricircle:{network}"]
        assert len(copies) == 1
        segments.add((copies[0]["provider:network_type"], copies[0]["provider:segmentation_id"]))
    assert len(segments) == 1


def test_4_pods_never_hand_out_the_same_address(scene: Scene) -> None:
    pools: list[str] = []
    for pod in scene.pods.values():
        for subnet in pod.marked()["subnets"]:
            pools += [pool["start"] for pool in subnet["allocation_pools"]]
    assert len(pools) == len(set(pools))
    assert pools


def test_4_lists(scene: Scene) -> None:
    facts = scene.walk.lists()
    rows = {server["Name"]: server for server in facts["tenant"]}
    assert set(NAMES.servers.values()) <= set(rows)
    for zone, name in NAMES.servers.items():
        assert rows[name]["Availability Zone"] == zone
        assert rows[name]["Status"] == "ACTIVE"
    assert set(NAMES.servers.values()) <= {server["Name"] for server in facts["admin"]}
    assert not set(NAMES.servers.values()) & {server["Name"] for server in facts["other"]}


def test_5_volume(scene: Scene) -> None:
    facts = scene.walk.volume("az1")
    volume = facts["created"]["id"]
    assert facts["created"]["availability_zone"] == "az1"
    assert facts["shown"]["availability_zone"] == "az1"
    assert volume in {row["ID"] for row in facts["listed"]}
    assert facts["in_use"]["attachments"][0]["server_id"] == scene.facts["az1"]["shown"]["id"]
    assert facts["snapshot"]["volume_id"] == volume
    assert NAMES.snapshot in {row["Name"] for row in facts["snapshots"]}
    for pod in scene.pods.values():
        assert pod.volume(volume) is None


def test_6_actions(scene: Scene) -> None:
    facts = scene.walk.actions("az2")
    assert facts["stopped"]["status"] == "SHUTOFF"
    assert facts["started"]["status"] == "ACTIVE"
    assert facts["rebooted"]["status"] == "ACTIVE"


def test_6_delete_keeps_the_users_port(scene: Scene) -> None:
    facts = scene.walk.delete_servers()
    own = facts["own_port"]
    assert own["device_id"] == ""
    assert own["status"] == "DOWN"
    for name, pod in scene.pods.items():
        scene.eventually(
            lambda pod=pod: pod.marked().get("ports", []), lambda ports: ports == [], f"no port left in {name}"
        )


def test_6_clean_leaves_nothing(scene: Scene) -> None:
    """The copy of the default group may stay: the group itself stays at the centre."""
    scene.walk.clean()
    for name, pod in scene.pods.items():
        scene.eventually(pod.marked_but_default_groups, lambda left: left == {}, f"nothing left in {name}")
        assert pod.network_named(NAMES.network) == []
        scene.eventually(
            lambda pod=pod: pod.flavors_named(NAMES.flavor), lambda left: left == [], f"no flavor left in {name}"
        )


def test_7_nothing_leaks(scene: Scene) -> None:
    assert scene.recorder.count > 50
    assert scene.recorder.leaks(scene.words) == []


def test_8_the_other_tenant_saw_nothing(scene: Scene) -> None:
    assert scene.walk.client.json(OTHER_TENANT, "server", "list") == []
    assert scene.walk.client.json(ADMIN, "server", "list", "--all-projects") is not None
