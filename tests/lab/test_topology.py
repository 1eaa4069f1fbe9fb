# SPDX-License-Identifier: Apache-2.0
"""Is a lab what its choices say, and are its pods as unlike as they should be?"""

from pathlib import Path

import pytest

from lab import canaries
from lab.topology import Lab, Mode, load_choices, load_lab, make_lab, save_lab


def a_lab(tmp_path: Path, **choices: object) -> Lab:
    return make_lab(tmp_path, **choices)  # type: ignore[arg-type]


def test_ports_are_those_that_everybody_knows(tmp_path: Path) -> None:
    lab = a_lab(tmp_path)
    known = {"keystone": 20500, "glance": 20292, "nova": 20774, "neutron": 20696, "doors": 20080, "admin-api": 19999}
    assert {name: lab.ports[name] for name in known} == known
    assert lab.ports["pod1-nova"] == 21774
    assert lab.ports["pod2-placement"] == 22778


def test_no_port_is_used_twice_in_a_lab_of_many_pods(tmp_path: Path) -> None:
    ports = a_lab(tmp_path, pods=9).ports
    assert len(set(ports.values())) == len(ports)


def test_another_base_moves_every_port(tmp_path: Path) -> None:
    here, there = a_lab(tmp_path).ports, a_lab(tmp_path, base=30000).ports
    assert {name: port + 10000 for name, port in here.items()} == there


def test_pods_are_hostile_twins(tmp_path: Path) -> None:
    first, second = a_lab(tmp_path).pods
    assert (first.zone, second.zone) == ("nova", "canary-zone-pod2")
    assert not first.unlimited
    assert second.unlimited
    assert (first.page_limit, second.page_limit) == (None, 7)


def test_only_the_named_pods_run_with_rabbitmq(tmp_path: Path) -> None:
    lab = a_lab(tmp_path, rabbit=frozenset({"pod2"}))
    assert [pod.mode for pod in lab.pods] == [Mode.AIO, Mode.RABBIT]


def test_an_unknown_pod_for_rabbitmq_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pod7"):
        a_lab(tmp_path, rabbit=frozenset({"pod7"}))


def test_choices_are_remembered(tmp_path: Path) -> None:
    assert load_choices(tmp_path) == {}
    lab = a_lab(tmp_path, pods=3, base=30000, rabbit=frozenset({"pod3"}), pod_glance=False, tricircle=False)
    save_lab(lab)
    assert load_lab(tmp_path) == lab


def test_tenants_find_keystone_behind_our_door_only_where_there_is_one(tmp_path: Path) -> None:
    assert a_lab(tmp_path).central_keystone == "http://127.0.0.1:20080/identity/v3"
    assert a_lab(tmp_path, tricircle=False).central_keystone == "http://127.0.0.1:20500/v3"


def test_every_name_of_a_pod_is_a_canary_word(tmp_path: Path) -> None:
    lab = a_lab(tmp_path)
    words = canaries.words(lab)
    own = [value for pod in lab.pods for value in (pod.region, *vars_of(canaries.names(pod)))]
    own += [pod.url("neutron") for pod in lab.pods]
    own += [lab.pods[1].zone, *lab.pods[1].own_names.values()]
    assert set(lab.pods[1].own_names) == {"nova", "cinder"}
    assert [name for name in own if not any(word in name for word in words)] == []


def test_no_canary_word_is_part_of_what_tenants_may_see(tmp_path: Path) -> None:
    lab = a_lab(tmp_path)
    public = [lab.url("doors"), "RegionOne", "az1", "az2", "cirros", "demo", "nova"]
    assert [word for word in canaries.words(lab) for text in public if word in text] == []


def vars_of(names: canaries.Names) -> tuple[str, ...]:
    return (names.flavor, names.image, names.shared_network, names.external_network)
