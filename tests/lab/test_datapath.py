# SPDX-License-Identifier: Apache-2.0
"""Which namespaces, wires and switches does a lab with real packets have, and what is left alone?"""

import configparser
from pathlib import Path

import pytest

from lab.datapath import switches
from lab.datapath.namespaces import Namespaces
from lab.datapath.plan import PHYSNETS, data_path, tap
from lab.packages import missing
from lab.process import StartError
from lab.services import metadata, neutron
from lab.topology import COMPUTE_HOST, Lab, load_lab, make_lab, save_lab
from lab.up import check_data_path, keep_data_path, made_by


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return make_lab(tmp_path, pods=3, datapath="ovn")


def test_names_are_of_one_lab_only(lab: Lab, tmp_path: Path) -> None:
    mine, theirs = data_path(lab), data_path(make_lab(tmp_path / "another", pods=3, datapath="ovn"))
    assert set(mine.namespaces).isdisjoint(theirs.namespaces)
    assert len(set(mine.namespaces)) == 7
    assert all(name.startswith(mine.prefix) for name in mine.namespaces)


def test_every_pod_has_a_wire_for_each_physical_network(lab: Lab) -> None:
    path = data_path(lab)
    for pod in path.pods:
        wires = path.wires(pod)
        assert tuple(wire.physnet for wire in wires) == PHYSNETS
        assert {wire.inner_namespace for wire in wires} == {pod.hypervisor}
        assert [wire.outer_namespace for wire in wires] == [path.wan] * 3 + [pod.internet]
    ends = [(wire.outer_namespace, wire.outer) for pod in path.pods for wire in path.wires(pod)]
    assert len(set(ends)) == len(ends)
    assert max(len(name) for wire in path.wires(path.pods[0]) for name in (wire.inner, wire.outer)) <= 15


def test_a_device_has_the_name_that_nova_gives_it() -> None:
    assert tap("2b7a6c1e-90aa-4e0b-9d8e-000000000000") == "tap2b7a6c1e-90"


def test_the_switch_runs_in_its_namespace_and_the_databases_outside(lab: Lab) -> None:
    path = data_path(lab)
    pod = path.pods[1]
    commands = {service.name: service.command for service in switches.services(path)}
    assert len(commands) == 12
    for name in ("switch", "controller"):
        assert commands[f"pod2-ovn-{name}"][:4] == ("ip", "netns", "exec", pod.hypervisor)
    for name in ("databases", "northd"):
        assert "netns" not in commands[f"pod2-ovn-{name}"]


def test_neutron_is_stock_with_ovn(lab: Lab) -> None:
    parsed = []
    for file in neutron.write_pod(lab, lab.pods[0]):
        conf = configparser.RawConfigParser()
        conf.read_string(file.read_text())
        parsed.append(conf)
    server, ml2 = parsed
    assert "lab.pod" not in server["DEFAULT"]["service_plugins"]
    assert "ovn-router" in server["DEFAULT"]["service_plugins"]
    assert ml2["ml2"]["mechanism_drivers"] == "ovn"
    assert ml2["ovn"]["ovn_nb_connection"] == data_path(lab).pods[0].remote
    assert server["DEFAULT"]["host"] == COMPUTE_HOST
    (service,) = neutron.pod_services(lab, lab.pods[0])
    assert not [file for file in service.files if "neutron_agents" in file.name]


def test_each_agent_of_metadata_is_alone_in_its_hypervisor(lab: Lab) -> None:
    path = data_path(lab)
    for pod in lab.pods:
        front, agent = metadata.pod_services(lab, pod)
        hypervisor = path.of(pod).hypervisor
        assert agent.command[:5] == ("ip", "netns", "exec", hypervisor, "unshare")
        assert {"--mount", "--pid", "--kill-child"} <= set(agent.command)
        assert f"bind 127.0.0.1:{pod.port('metadata')} namespace {hypervisor}" in front.files[0].read_text()
        conf = configparser.RawConfigParser()
        conf.read_string(agent.files[0].read_text())
        assert conf["DEFAULT"]["nova_metadata_port"] == str(pod.port("metadata"))
        assert conf["ovs"]["ovsdb_connection"] == conf["ovn"]["ovn_sb_connection"] == path.of(pod).remote
    assert metadata.pod_services(make_lab(lab.root), lab.pods[0]) == []


def test_even_pods_are_narrow_in_the_settings_and_on_the_wire(lab: Lab) -> None:
    path = data_path(lab)
    for pod, narrow in zip(lab.pods, (1500, 1450, 1500), strict=True):
        on_wire = {wire.physnet: wire.mtu for wire in path.wires(path.of(pod))}
        assert on_wire == {"stretch": 1500, "narrow": narrow, "bridge": 1500, "extern": 1500}
        conf = configparser.RawConfigParser()
        conf.read_string(neutron.write_pod(lab, pod)[1].read_text())
        said = dict(pair.split(":") for pair in conf["ml2"]["physical_network_mtus"].split(","))
        assert said == {physnet: str(mtu) for physnet, mtu in on_wire.items()}


def test_the_choice_is_remembered(lab: Lab) -> None:
    save_lab(lab)
    assert load_lab(lab.root) == lab


@pytest.mark.parametrize("choices", [{"compute_hosts": 2}, {"older": frozenset({"pod2"})}])
def test_what_has_no_data_path_is_refused(tmp_path: Path, choices: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="datapath"):
        make_lab(tmp_path, datapath="ovn", **choices)  # type: ignore[arg-type]


def test_data_of_one_data_path_is_not_used_with_another(tmp_path: Path) -> None:
    plain = make_lab(tmp_path)
    assert made_by(plain) is None
    plain.var.mkdir(parents=True)
    assert made_by(plain) == "imitated", "labs from before there was a choice"
    (plain.var / "datapath").write_text("ovn")
    with pytest.raises(StartError, match="--fresh --datapath imitated"):
        check_data_path(plain)
    keep_data_path(plain)
    check_data_path(plain)


def test_packages_of_the_switch_are_asked_for_only_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert "openvswitch-switch" not in missing(make_lab(tmp_path))
    assert {"openvswitch-switch", "ovn-central", "ovn-host"} <= set(missing(make_lab(tmp_path, datapath="ovn")))


def test_a_namespace_without_a_record_is_never_deleted(tmp_path: Path) -> None:
    namespaces = Namespaces(tmp_path / "records")
    assert namespaces.recorded() == []
    assert not namespaces.delete("somebody-elses")
    assert namespaces.delete_all() == []
