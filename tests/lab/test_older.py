# SPDX-License-Identifier: Apache-2.0
"""Is a pod of an older release cut off from the others: its own environment, its own templates, its own way to run?"""

import configparser
from pathlib import Path

import pytest

from lab import environment, schemas
from lab.process import StartError
from lab.services import cinder, glance, neutron, nova, placement
from lab.services.processes import environment as variables
from lab.status import Row, table
from lab.topology import Lab, Release, load_lab, make_lab, save_lab
from lab.up import check_releases, keep_releases


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    made = make_lab(tmp_path, pods=3, older=frozenset({"pod3"}))
    for release in made.releases:
        paste = made.venv_of(release) / "etc" / "nova" / "api-paste.ini"
        paste.parent.mkdir(parents=True)
        paste.write_text(f"[app:{release or 'newest'}]\n")
        made.lock_of(release).parent.mkdir(exist_ok=True)
        made.lock_of(release).write_text(f"nova=={release}\n")
    return made


def read(path: Path) -> configparser.RawConfigParser:
    parsed = configparser.RawConfigParser()
    parsed.read_string(path.read_text())
    return parsed


def test_which_pods_are_older_is_remembered(lab: Lab) -> None:
    assert [pod.release for pod in lab.pods] == [Release.NEWEST, Release.NEWEST, Release.OLDER]
    assert lab.releases == (Release.NEWEST, Release.OLDER)
    save_lab(lab)
    assert load_lab(lab.root).older_pods == lab.older_pods


def test_a_lab_without_one_needs_only_the_newest(tmp_path: Path) -> None:
    assert make_lab(tmp_path).releases == (Release.NEWEST,)


def test_strangers_and_real_rpc_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such pod: pod4"):
        make_lab(tmp_path, pods=3, older=frozenset({"pod4"}))
    with pytest.raises(ValueError, match="one process for each service: pod2"):
        make_lab(tmp_path, pods=3, older=frozenset({"pod2"}), rabbit=frozenset({"pod2"}))


def test_its_services_run_in_its_own_environment(lab: Lab) -> None:
    venv = str(lab.venv_of(Release.OLDER))
    for family in (nova, neutron, cinder, glance):
        newest, older = (family.pod_services(lab, pod) for pod in (lab.pods[0], lab.pods[2]))
        assert all(service.command[0].startswith(venv + "/") for service in older)
        assert all(service.environment["PATH"].startswith(venv + "/bin:") for service in older)
        assert not any(venv in part for service in newest for part in service.command)
    assert variables(lab)["PATH"].startswith(str(lab.venv) + "/bin:")


def test_what_runs_under_eventlet_needs_a_driver_in_python(lab: Lab) -> None:
    pod = lab.pods[2]
    conf = read(nova.write_pod(lab, pod)[0])
    for section in ("database", "api_database"):
        assert conf[section]["connection"].startswith("mysql+pymysql://")
    assert read(placement.write_pod(lab, pod)[0])["placement_database"]["connection"].startswith("mysql+pymysql://")
    assert conf["DEFAULT"]["osapi_compute_listen_port"] == "23774"
    assert conf["cinder"]["catalog_info"] == "volumev3::publicURL"
    assert read(nova.write_pod(lab, lab.pods[0])[0])["database"]["connection"].startswith("mysql+mysqldb://")


def test_the_pipeline_of_its_api_is_that_of_its_release(lab: Lab) -> None:
    texts = [nova.write_pod(lab, pod)[1].read_text() for pod in (lab.pods[0], lab.pods[2])]
    assert texts == ["[app:newest]\n", "[app:2023.1]\n"]


def test_its_schemas_come_from_its_own_migrations(lab: Lab) -> None:
    made = {schema.name: schema.release for schema in schemas.wanted(lab)}
    assert {made[f"{name}_pod3"] for name in ("nova_api", "nova", "nova_cell0", "neutron", "cinder", "placement")} == {
        Release.OLDER
    }
    assert {release for name, release in made.items() if not name.endswith("_pod3")} == {Release.NEWEST}


def test_each_environment_has_its_own_pins(lab: Lab) -> None:
    assert environment.lock_digest(lab) != environment.lock_digest(lab, Release.OLDER)


def test_the_pins_of_this_repository_are_whole() -> None:
    here = load_lab(Path(__file__).resolve().parents[2])
    pins = here.lock_of(Release.OLDER).read_text().splitlines()
    assert {"nova==27.0.0", "cinder==22.0.0", "neutron==22.0.0", "openstack-placement==9.0.0"} <= set(pins)
    assert all("==" in pin for pin in pins)


def test_data_of_another_release_is_not_touched(lab: Lab) -> None:
    check_releases(lab)  # nothing is there yet
    for pod in lab.pods:
        (lab.var / pod.name).mkdir(parents=True)
    keep_releases(lab)
    check_releases(lab)
    for other in (make_lab(lab.root, pods=3), make_lab(lab.root, pods=3, older=frozenset({"pod2", "pod3"}))):
        with pytest.raises(StartError, match="up --fresh"):
            check_releases(other)


def test_the_status_names_the_release() -> None:
    row = Row(name="pod3-nova", group="pod3", up=True, pid=1, processes=1, memory=0, cpu=0.0)
    assert "pod3 (2023.1)" in table([row], {"pod3": "2023.1"})
    assert "(" not in table([row])
