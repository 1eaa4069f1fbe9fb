# SPDX-License-Identifier: Apache-2.0
"""Does nothing of a pod stay in what leaves?"""

from tests.unit.road.scripted import caller, pod
from tricircle.context import ProjectId
from tricircle.model.routing import Kind, Routing
from tricircle.road.rewrite import Facts, Item, Shape, host_id, items_of, shaped, unshaped, zone

POD = pod("Pod1", "az1")


def test_what_no_shape_knows_names_neither_zone_nor_host_of_the_pod() -> None:
    """By the names of fields, at any depth; empty and null stay."""
    body: dict[str, object] = {
        "things": [{"hostId": "h", "OS-EXT-AZ:availability_zone": "canary"}, "canary-free", None],
        "more": {"availability_zone": "canary", "deeper": {"zoneName": "canary", "availability_zone": None}},
        "hostId": "",
    }
    assert unshaped(body, POD) == {
        "things": [{"hostId": host_id(POD.id, "h"), "OS-EXT-AZ:availability_zone": "az1"}, "canary-free", None],
        "more": {"availability_zone": "az1", "deeper": {"zoneName": "az1", "availability_zone": None}},
        "hostId": "",
    }


def test_host_ids_differ_between_pods() -> None:
    """Equal host names in two pods make equal hostIds there."""
    assert host_id("a", "f00") != host_id("b", "f00")
    assert len(str(host_id("a", "f00"))) == 56
    assert host_id("a", "") == ""
    assert host_id("a", None) is None


def test_zones() -> None:
    """What runs somewhere is in the pod's AZ; what does not has none."""
    assert zone(POD, "nova") == "az1"
    assert zone(POD, "") == ""
    assert zone(POD, None) is None


def test_shaped() -> None:
    """Only items change; ids that are not copies of ours are known as such."""
    copy = Routing(
        id=1,
        central_id="central",
        kind=Kind.NETWORK,
        pod_id=POD.id,
        project_id=ProjectId("p1"),
        pod_resource_id="theirs",
    )
    facts = Facts(pod=POD, context=caller(), ids={(Kind.NETWORK, "theirs"): copy})

    def apply(item: Item, facts: Facts) -> Item:
        return {**item, "net": facts.central_id(Kind.NETWORK, str(item["net"]))}

    shape = Shape(apply=apply)
    body = {"ports": [{"net": "theirs"}, {"net": "other"}, "odd"], "more": 1}
    assert shaped(body, facts, shape, singular=None, collection="ports") == {
        "ports": [{"net": "central"}, {"net": None}, "odd"],
        "more": 1,
    }
    assert shaped({"port": {"net": "theirs"}}, facts, shape, singular="port", collection=None) == {
        "port": {"net": "central"}
    }
    assert shaped({"x": 1}, facts, shape, singular="port", collection=None) == {"x": 1}


def test_items_of() -> None:
    """Lists and single items; everything else has none."""
    assert items_of({"ports": [{"id": 1}, 2]}, singular=None, collection="ports") == [{"id": 1}]
    assert items_of({"ports": None}, singular="port", collection="ports") == []
