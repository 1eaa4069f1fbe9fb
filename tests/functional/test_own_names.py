# SPDX-License-Identifier: Apache-2.0
"""Is a pod whose Nova and Cinder call themselves by other names than we do (Pod2 of the lab) like any other?

That no answer of any door says these names is seen with every call of all tests here (``conftest.py``).
"""

from collections.abc import Iterator

import pytest

from lab.topology import load_lab
from tests.functional.region_world import ROOT, Json, Region, at_once, ids, unique
from tests.functional.tenants import Tenant

pytestmark = pytest.mark.lab

#: More than a project may guess at once (``road/searches.py``), in a process that has to find all of them.
MANY = 62


def test_the_pod_calls_itself_otherwise(region: Region, tenant: Tenant) -> None:
    """Else nothing here proves anything."""
    names = {pod.region: pod.own_names for pod in load_lab(ROOT).pods}
    made = tenant.volume("az2")
    shown = tenant.inside["Pod2"].good("GET", "block-storage", f"/volumes/{made['id']}")["volume"]
    assert all(link["href"].startswith(names["Pod2"]["cinder"]) for link in shown["links"])
    flavors = region.pods["Pod2"].list("compute", "flavors")
    assert flavors[0]["links"][0]["href"].startswith(names["Pod2"]["nova"])


def test_links_of_its_servers_lead_through_our_door(
    region: Region, tenant: Tenant, flavor: Json, image_id: str
) -> None:
    booted = tenant.boot("az2", flavorRef=flavor["id"], imageRef=image_id)
    assert booted.status_code == 202, booted.text
    server_id = booted.json()["server"]["id"]
    assert booted.headers["Location"] == f"{region.front}/compute/v2.1/servers/{server_id}"
    server = tenant.active(server_id)
    here = f"/servers/{server_id}"
    assert {link["rel"]: link["href"] for link in server["links"]} == {
        "self": f"{region.front}/compute/v2.1{here}",
        "bookmark": f"{region.front}/compute{here}",
    }
    assert server["image"]["links"][0]["href"] == f"{region.front}/compute/images/{image_id}"
    for version, path in (("2.1", here), ("2.46", here), ("2.58", f"{here}/os-instance-actions?limit=1")):
        asked = {"OpenStack-API-Version": f"compute {version}"}
        said = tenant.here("GET", "compute", path, headers=asked)
        assert said.status_code == 200
        found = [link for link in _hrefs(said.json()) if not link.startswith(f"{region.front}/compute/")]
        assert found == []


def test_links_of_its_volumes_lead_through_our_door(region: Region, tenant: Tenant) -> None:
    made = tenant.volume("az2")
    path = f"/{tenant.project_id}/volumes/{made['id']}"
    root = f"{region.front}/volume"
    shown = tenant.here.good("GET", "block-storage", path)["volume"]
    assert [link["href"] for link in shown["links"]] == [f"{root}/v3{path}", f"{root}{path}"]
    page = tenant.here.good("GET", "block-storage", "/volumes", limit=1)
    (link,) = page["volumes_links"]
    assert link["href"].startswith(f"{root}/v3/volumes?")
    assert tenant.here("GET", "block-storage", link["href"]).status_code == 200


def _hrefs(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["href"]] if isinstance(value.get("href"), str) else []
        return own + [href for member in value.values() for href in _hrefs(member)]
    return [href for member in value for href in _hrefs(member)] if isinstance(value, list) else []


@pytest.mark.parametrize("zone", ["az1", "az2"])
@pytest.mark.parametrize("path", ["/metadata", "/metadata/a"])
def test_an_outdated_mark_of_metadata_is_412(tenant: Tenant, zone: str, path: str) -> None:
    """In Cinder's own words, which are none; as the pod itself says it."""
    where = f"/volumes/{tenant.volume(zone, metadata={'a': '1'})['id']}/metadata"
    body = {"metadata": {"a": "2"}} if path == "/metadata" else {"meta": {"a": "2"}}
    mark = tenant.here("GET", "block-storage", where).headers["ETag"]
    path = where.removesuffix("/metadata") + path
    statuses = []
    for caller in (tenant.here, tenant.here, tenant.inside["Pod1" if zone == "az1" else "Pod2"]):
        said = caller("PUT", "block-storage", path, body, headers={"If-Match": mark})
        statuses.append((said.status_code, said.content == b""))
    assert statuses == [(200, False), (412, True), (412, True)]


@pytest.fixture
def crowded(region: Region) -> Iterator[Tenant]:
    """A project of its own: what it has fills its limits."""
    made = Tenant(region)
    yield made
    made.sweep()


def test_what_nobody_has_written_down_is_found_however_much_it_is(crowded: Tenant) -> None:
    """As with what Nova makes for servers: the first question for each of many looks for it in all pods."""
    # From its first volume there on the project has no limits of the pod's own.
    crowded.volume("az2")
    inside = crowded.inside["Pod2"]

    def make() -> Json:
        return inside.make("block-storage", "volumes", "volume", size=1, name=unique())

    made = [one for _ in range(MANY // 8 + 1) for one in at_once([make] * 8)][:MANY]
    answers = at_once(
        [lambda one=one: crowded.here("GET", "block-storage", f"/volumes/{one['id']}") for one in made]  # type: ignore[misc]
    )
    assert [answer.status_code for answer in answers] == [200] * MANY
    assert sorted(answer.json()["volume"]["id"] for answer in answers) == sorted(ids(made))
