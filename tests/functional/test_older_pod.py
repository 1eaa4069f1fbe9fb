# SPDX-License-Identifier: Apache-2.0
"""What do users meet where one pod is of an older release? It lowers the maximum for all, or is skipped.

Needs a lab that was started with ``--pods 3 --older pod3``: the pod has Nova 2.95 and Cinder 3.70, the others 2.104 and
3.71.
"""

from collections.abc import Iterator, Mapping

import pytest
import requests

from lab.topology import load_lab
from tests.functional.other_gateway import gateway
from tests.functional.region_world import DOORS, ROOT, Caller, Json, Region, ask, eventually, ids, unique
from tests.functional.tenants import Tenant

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not load_lab(ROOT).older_pods, reason="the lab has no older pod: lab up --pods 3 --older pod3"),
]

INCOMPLETE = "OpenStack-Incomplete-AZs"
ZONE = "az-older"
#: (service, what the older pod has, what only newer ones have), with the word of the header.
NOVA = ("compute", "compute 2.95", "compute 2.96")
CINDER = ("block-storage", "volume 3.70", "volume 3.71")
BOTH = pytest.mark.parametrize(("service", "has", "lacks"), [NOVA, CINDER])


@pytest.fixture(scope="module")
def older(region: Region) -> Iterator[str]:
    """The name of the older pod, in use in a zone of its own; switched off afterwards, so that nobody is held back."""
    name = load_lab(ROOT).older_pods[0].region
    pods = {pod["pod_name"]: pod for pod in region.operate("GET", "/pods").json()["pods"]}
    if name not in pods:
        pods[name] = region.operate("POST", "/pods", {"pod": {"pod_name": name, "az_name": ZONE}}).json()["pod"]
    path = f"/pods/{pods[name]['pod_id']}"
    assert region.operate("PUT", path, {"pod": {"az_name": ZONE, "state": "enabled"}}).status_code == 200
    eventually(lambda: maximum(region.front, "compute"), lambda top: top == "2.95", "the gateway knows of it")
    yield name
    region.operate("PUT", path, {"pod": {"state": "disabled"}})


@pytest.fixture(scope="module")
def tenant(region: Region, older: str) -> Iterator[Tenant]:
    """Its things go before the pod is switched off."""
    made = Tenant(region)
    yield made
    made.sweep()


@pytest.fixture(scope="module")
def resident(tenant: Tenant, flavor: Json, image_id: str) -> str:
    """A server in the older pod, on a network of the centre."""
    network = tenant.network()
    server = {"flavorRef": flavor["id"], "imageRef": image_id, "networks": [{"uuid": network["id"]}]}
    server_id = tenant.booted(ZONE, **server)
    assert tenant.active(server_id)["status"] == "ACTIVE"
    return server_id


@pytest.fixture(scope="module")
def stored(tenant: Tenant) -> str:
    """A volume in the older pod."""
    made = tenant.volume(ZONE)
    assert made["status"] == "available"
    return str(made["id"])


@pytest.fixture(scope="module")
def skipping(tenant: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """The tenant at a gateway that skips older pods."""
    with gateway(tmp_path_factory.mktemp("skip"), older_pods="skip") as front:
        roots = {service: front + path for service, path in DOORS.items()}
        yield Region.elsewhere(tenant.here, roots)


def maximum(front: str, service: str) -> str:
    """The highest version that a version document offers."""
    prefix = {"compute": "/compute", "block-storage": "/volume"}[service]
    listed = ask("GET", f"{front}{prefix}/").json()["versions"]
    return str(listed[-1]["version"])


def at(version: str) -> Mapping[str, str]:
    return {"OpenStack-API-Version": version}


def place(service: str, resident: str, stored: str) -> tuple[str, str, str]:
    """Collection, path of the list, and the id that lives in the older pod."""
    if service == "compute":
        return "servers", "/servers/detail", resident
    return "volumes", "/volumes/detail", stored


def is_refused(answer: requests.Response, version: str, highest: str) -> None:
    """406 in Nova's and Cinder's form, with the range that counts here."""
    assert answer.status_code == 406, answer.text
    number = version.split()[1]
    assert answer.json()["computeFault"]["message"].startswith(
        f"Version {number} is not supported by the API. Minimum is {highest[0]}."
    )
    assert f"maximum is {highest}." in answer.text
    assert answer.headers["OpenStack-API-Version"] == version


@BOTH
def test_it_lowers_the_maximum_for_all(
    region: Region, tenant: Tenant, resident: str, stored: str, service: str, has: str, lacks: str
) -> None:
    collection, path, lives = place(service, resident, stored)
    word, highest = has.split()
    assert maximum(region.front, service) == highest
    for version in (has, f"{word} latest"):
        listed = tenant.here("GET", service, path, headers=at(version))
        assert lives in ids(listed.json()[collection])
        assert listed.headers["OpenStack-API-Version"] == has
        assert INCOMPLETE not in listed.headers
    is_refused(tenant.here("GET", service, path, headers=at(lacks)), lacks, highest)
    is_refused(tenant.here("GET", service, f"/{collection}/{lives}", headers=at(lacks)), lacks, highest)


@BOTH
def test_or_it_is_skipped(skipping: Caller, resident: str, stored: str, service: str, has: str, lacks: str) -> None:
    collection, path, lives = place(service, resident, stored)
    front = skipping.roots[service].rpartition("/v")[0].rpartition("/")[0]
    assert maximum(front, service) == {"compute": "2.104", "block-storage": "3.71"}[service]
    listed = skipping("GET", service, path, headers=at(lacks))
    assert lives not in ids(listed.json()[collection])
    assert listed.headers[INCOMPLETE] == ZONE
    assert listed.headers["OpenStack-API-Version"] == lacks
    is_refused(skipping("GET", service, f"/{collection}/{lives}", headers=at(lacks)), lacks, has.split()[1])
    is_refused(skipping("DELETE", service, f"/{collection}/{lives}", headers=at(lacks)), lacks, has.split()[1])


@BOTH
def test_who_names_no_more_than_it_has_sees_it(
    skipping: Caller, resident: str, stored: str, service: str, has: str, lacks: str
) -> None:
    collection, path, lives = place(service, resident, stored)
    for version in (has, f"{has.split(maxsplit=1)[0]} latest"):
        listed = skipping("GET", service, path, headers=at(version))
        assert lives in ids(listed.json()[collection])
        assert (listed.headers["OpenStack-API-Version"], listed.headers.get(INCOMPLETE)) == (has, None)
        assert skipping("GET", service, f"/{collection}/{lives}", headers=at(version)).status_code == 200


def test_a_marker_in_it_works_in_a_version_that_it_lacks(skipping: Caller, resident: str) -> None:
    listed = skipping("GET", "compute", f"/servers/detail?marker={resident}", headers=at(NOVA[2]))
    assert listed.status_code == 200, listed.text


def test_boots_that_name_more_go_to_pods_that_can(
    region: Region, tenant: Tenant, skipping: Caller, older: str, flavor: Json, image_id: str
) -> None:
    """Nobody has said where: the older pod, to which the project is bound, is no choice."""
    server = {"name": unique(), "flavorRef": flavor["id"], "imageRef": image_id, "networks": "none"}
    made = [skipping("POST", "compute", "/servers", {"server": server}, headers=at(NOVA[2])) for _ in range(2)]
    assert [one.status_code for one in made] == [202, 202], [one.text for one in made]
    there = ids(tenant.inside[older].list("compute", "servers"))
    for one in made:
        server_id = one.json()["server"]["id"]
        assert tenant.active(server_id)["status"] == "ACTIVE"
        assert server_id not in there


@pytest.mark.parametrize("service", ["compute", "block-storage"])
def test_what_shall_be_made_in_it_in_a_version_that_it_lacks_is_refused(
    tenant: Tenant, skipping: Caller, older: str, flavor: Json, image_id: str, service: str
) -> None:
    wanted = {"name": unique(), "availability_zone": ZONE}
    if service == "compute":
        server = {**wanted, "flavorRef": flavor["id"], "imageRef": image_id, "networks": "none"}
        made = skipping("POST", service, "/servers", {"server": server}, headers=at(NOVA[2]))
    else:
        made = skipping("POST", service, "/volumes", {"volume": {**wanted, "size": 1}}, headers=at(CINDER[2]))
    assert made.status_code == 406, made.text
    assert "availability zone" in made.json()["computeFault"]["message"]
    collection = {"compute": "servers", "block-storage": "volumes"}[service]
    names = {str(thing["name"]) for thing in tenant.inside[older].list(service, collection)}
    assert wanted["name"] not in names


def test_a_volume_of_it_is_attached_to_a_server_of_it(tenant: Tenant, resident: str, stored: str) -> None:
    path = f"/servers/{resident}/os-volume_attachments"
    answer = tenant.here("POST", "compute", path, {"volumeAttachment": {"volumeId": stored}})
    assert answer.status_code == 200, answer.text
    assert tenant.reached("block-storage", f"/volumes/{stored}", "volume", "in-use")["status"] == "in-use"
    assert tenant.here("DELETE", "compute", f"{path}/{stored}").status_code == 202
    assert tenant.reached("block-storage", f"/volumes/{stored}", "volume", "available")["status"] == "available"


def test_the_operator_is_told_who_holds_versions_back(region: Region, older: str) -> None:
    pod = next(one for one in region.operate("GET", "/pods").json()["pods"] if one["pod_name"] == older)
    assert pod["versions"]["compute"]["max"] == "2.95"
    assert pod["versions"]["block-storage"]["max"] == "3.70"
