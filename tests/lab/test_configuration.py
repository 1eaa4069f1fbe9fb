# SPDX-License-Identifier: Apache-2.0
"""Do the services of the lab get the configuration that makes pods pods and the centre the centre?"""

import configparser
import json
from pathlib import Path

import pytest

from lab import clouds, compute_record, identity, ini, schemas
from lab.services import central, cinder, glance, neutron, nova
from lab.services.processes import environment, uwsgi
from lab.topology import COMPUTE_HOST, Lab, make_lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    paste = tmp_path / ".lab" / "venv" / "etc" / "nova" / "api-paste.ini"
    paste.parent.mkdir(parents=True)
    paste.write_text("[app:a]\n")
    return make_lab(tmp_path, rabbit=frozenset({"pod2"}))


def read(path: Path) -> configparser.RawConfigParser:
    parsed = configparser.RawConfigParser()
    parsed.read_string(path.read_text())
    return parsed


def test_values_are_written_as_oslo_config_reads_them() -> None:
    text = ini.render({"a": {"yes": True, "no": False, "many": ("x", "y"), "n": 3}, "b": {"path": Path("/p")}})
    assert text == "[a]\nyes = true\nno = false\nmany = x,y\nn = 3\n\n[b]\npath = /p\n"


def test_of_two_layers_the_later_wins() -> None:
    merged = ini.merge({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}, "b": {"z": 4}})
    assert merged == {"a": {"x": 1, "y": 3}, "b": {"z": 4}}


def test_a_file_is_written_only_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.conf"
    assert ini.write(path, "one")
    assert not ini.write(path, "one")
    assert ini.write(path, "two")
    assert path.stat().st_mode & 0o777 == 0o600


def test_services_of_a_pod_look_for_each_other_in_their_own_region(lab: Lab) -> None:
    for pod in lab.pods:
        conf = read(nova.write_pod(lab, pod)[0])
        assert conf["placement"]["region_name"] == pod.region
        assert conf["neutron"]["region_name"] == pod.region
        assert conf["cinder"]["os_region_name"] == pod.region
        assert read(neutron.write_pod(lab, pod)[0])["nova"]["region_name"] == pod.region


def test_even_pods_have_a_glance_of_their_own(lab: Lab) -> None:
    """Which Nova and Cinder there use; those of the others use the central one."""
    for pod, glance_url in zip(lab.pods, ("http://127.0.0.1:20292", "http://127.0.0.1:22292"), strict=True):
        assert read(nova.write_pod(lab, pod)[0])["glance"]["endpoint_override"] == glance_url
        assert read(cinder.write_pod(lab, pod)[0])["DEFAULT"]["glance_api_servers"] == glance_url


def test_ports_bind_on_the_host_that_nova_names(lab: Lab) -> None:
    pod = lab.pods[0]
    server, ml2 = (read(path) for path in neutron.write_pod(lab, pod))
    assert read(nova.write_pod(lab, pod)[0])["DEFAULT"]["host"] == COMPUTE_HOST
    assert ml2["lab"]["host"] == server["DEFAULT"]["host"] == COMPUTE_HOST


def test_the_network_between_pods_has_no_range_inside_a_pod(lab: Lab) -> None:
    ranges = read(neutron.write_pod(lab, lab.pods[0])[1])["ml2_type_vlan"]["network_vlan_ranges"].split(",")
    assert "stretch" in ranges
    centre = read(central.write_neutron(lab, stock=False)[1])
    assert centre["ml2_type_vlan"]["network_vlan_ranges"].startswith("stretch:")


def test_the_centre_has_our_drivers_unless_it_shall_be_stock(lab: Lab) -> None:
    server, ml2 = (read(path) for path in central.write_neutron(lab, stock=False))
    assert ml2["ml2"]["mechanism_drivers"] == "tricircle"
    assert "tricircle_router" in server["DEFAULT"]["service_plugins"].split(",")
    server, ml2 = (read(path) for path in central.write_neutron(lab, stock=True))
    assert ml2["ml2"]["mechanism_drivers"] == "openvswitch"
    assert "tricircle_router" not in server["DEFAULT"]["service_plugins"]


def test_small_pages_and_lifted_quotas_are_in_the_second_pod_only(lab: Lab) -> None:
    first, second = (read(nova.write_pod(lab, pod)[0]) for pod in lab.pods)
    assert "max_limit" not in first["api"]
    assert second["api"]["max_limit"] == "7"
    assert "instances" not in first["quota"]
    assert second["quota"]["instances"] == "-1"
    assert read(cinder.write_pod(lab, lab.pods[1])[0])["DEFAULT"]["osapi_max_limit"] == "7"


def test_service_tokens_are_required_everywhere(lab: Lab) -> None:
    files = [nova.write_central(lab)[0], cinder.write_central(lab)[0], central.write_neutron(lab, stock=False)[0]]
    for pod in lab.pods:
        files += [nova.write_pod(lab, pod)[0], cinder.write_pod(lab, pod)[0], neutron.write_pod(lab, pod)[0]]
    for path in files:
        assert read(path)["keystone_authtoken"]["service_token_roles_required"] == "true", path


def test_every_service_knows_its_name_in_access_rules(lab: Lab) -> None:
    named = {nova: "compute", cinder: "block-storage", neutron: "network"}
    for family, name in named.items():
        for pod in lab.pods:
            assert read(family.write_pod(lab, pod)[0])["keystone_authtoken"]["service_type"] == name
    centre = {nova.write_central(lab)[0]: "compute", central.write_neutron(lab, stock=False)[0]: "network"}
    for path, name in centre.items():
        assert read(path)["keystone_authtoken"]["service_type"] == name


def test_a_pod_with_rabbitmq_has_a_process_for_every_service(lab: Lab) -> None:
    names = [
        [service.name for family in (nova, neutron, cinder, glance) for service in family.pod_services(lab, pod)]
        for pod in lab.pods
    ]
    assert names[0] == ["pod1-nova", "pod1-consoles", "pod1-neutron", "pod1-cinder"]
    assert "pod2-glance" in names[1]
    assert {"pod2-nova-conductor", "pod2-nova-scheduler", "pod2-nova-compute"} < set(names[1])
    assert {"pod2-cinder-scheduler", "pod2-cinder-volume", "pod2-placement"} < set(names[1])


def test_transports_follow_the_mode(lab: Lab) -> None:
    first, second = (read(nova.write_pod(lab, pod)[0])["DEFAULT"]["transport_url"] for pod in lab.pods)
    assert first == "fake://"
    assert second == "rabbit://lab:labpw@127.0.0.1:20672/pod2"


def test_the_centre_has_no_cell_but_cell0(lab: Lab) -> None:
    after = {schema.name: schema.after for schema in schemas_of(lab)}
    assert "cell1" not in after["nova_api_central"]
    assert "cell1" in after["nova_api_pod1"]


def test_the_cell_of_the_centre_has_a_template_of_its_own(lab: Lab) -> None:
    """With the record of a compute service; pods have real ones. Another recipe is another template."""
    templates = {schema.name: schema.template for schema in schemas_of(lab)}
    assert templates[compute_record.SCHEMA] == schemas.CENTRAL_CELL
    assert list(templates.values()).count(schemas.CENTRAL_CELL) == 1
    program = lab.root / "lab" / "pod" / "compute_once.py"
    program.parent.mkdir()
    names = set()
    for recipe in ("one", "another"):
        program.write_text(recipe)
        names |= {schemas._dump(lab, name).name for name in (schemas.CENTRAL_CELL, "nova")}
    assert len(names) == 3


def test_default_volume_types_get_other_ids_in_every_pod(lab: Lab) -> None:
    after = {schema.name: schema.after for schema in schemas_of(lab)}
    assert "volume_types SET id=UUID()" in after["cinder_pod1"]
    assert after["cinder_central"] == ""
    assert "quota_classes" not in after["cinder_pod1"]
    assert "quota_classes" in after["cinder_pod2"]


def test_nothing_of_the_callers_shell_reaches_a_service(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLOUD", "elsewhere")
    monkeypatch.setenv("https_proxy", "http://proxy")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert not {"OS_CLOUD", "https_proxy", "PYTHONDONTWRITEBYTECODE"} & set(environment(lab))


def test_one_wsgi_process_may_listen_on_two_ports(lab: Lab) -> None:
    command = uwsgi(lab, "a.b", 1, 2)
    assert command.count("--http-socket") == 2
    assert "LAB_APPLICATION=a.b" in command


def test_every_pod_has_a_keystone_in_its_region(lab: Lab) -> None:
    endpoints = identity.all_endpoints(lab)
    assert set(endpoints) == {"Pod1", "Pod2"}
    assert {kinds["identity"] for kinds in endpoints.values()} == {lab.keystone}


def test_without_tricircle_the_lab_registers_the_centre_itself(tmp_path: Path) -> None:
    endpoints = identity.all_endpoints(make_lab(tmp_path, tricircle=False))
    assert endpoints["RegionOne"]["compute"] == "http://127.0.0.1:20774/v2.1"


def test_the_kept_keystone_changes_with_what_it_shall_hold(tmp_path: Path) -> None:
    digests = {identity.digest(make_lab(tmp_path, pods=n, base=base)) for n in (1, 2) for base in (20000, 30000)}
    assert len(digests) == 4


def test_clients_find_the_clouds_that_were_promised(lab: Lab) -> None:
    text = clouds.clouds_yaml(lab)
    names = [line.strip(" :") for line in text.splitlines() if line.startswith("  ") and line[2] != " "]
    assert names == ["tricircle", "tricircle-alt", "tricircle-admin", "pod1", "pod2"]
    assert text.count("auth_url: http://127.0.0.1:20080/identity/v3") == 3
    assert "unset $(env" in clouds.exports(lab)


def schemas_of(lab: Lab) -> list[schemas.Schema]:
    lock = lab.root / "lab" / "requirements.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(json.dumps({}))
    return schemas.wanted(lab)
