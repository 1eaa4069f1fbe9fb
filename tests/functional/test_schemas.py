# SPDX-License-Identifier: Apache-2.0
"""Do answers keep the services' own schemas, and Tempest's, in every version at which one of these changes?

Every read that Nova or Tempest has a schema for is asked of things that are there: in its first version and its last,
by who may, and with ``TRICIRCLE_SCHEMAS=all`` in every one, by a tenant and an administrator. What other tests are
answered is held against the same schemas as it comes (``conftest.py``).
"""

import os
import re
from collections.abc import Iterator
from itertools import groupby

import pytest
import requests

from tests.functional.region_world import Caller, Json, Region, eventually, unique
from tests.functional.tenants import Tenant
from tests.schemas.checker import Checker

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]

#: What a service is called in the header of versions.
_WORDS = {"compute": "compute", "block-storage": "volume"}
#: The lab has no Ironic: Nova itself answers 500 to who asks it for one's machines.
_WITHOUT_SERVICE = "/os-baremetal-nodes"
IS_WHOLE = os.environ.get("TRICIRCLE_SCHEMAS") == "all"
_LATEST = {"compute": "2.104", "block-storage": "3.71"}


@pytest.fixture(scope="module")
def things(region: Region, tenant: Tenant, flavor: Json, image_id: str) -> Iterator[dict[str, dict[str, str]]]:
    """Ids of one thing of each sort, by what stands before or in the place of its id in a path."""
    here, admin = tenant.here, region.admin
    port = here.make("network", "ports", "port", network_id=tenant.network()["id"], name=unique())
    networks = [{"port": port["id"]}]
    server_id = tenant.booted("az1", flavorRef=flavor["id"], imageRef=image_id, networks=networks)
    volume = tenant.volume("az1")
    tenant.active(server_id)
    volume_id = str(volume["id"])
    snapshot = here.make("block-storage", "snapshots", "snapshot", volume_id=volume_id, name=unique())
    tenant.reached("block-storage", f"/snapshots/{snapshot['id']}", "snapshot", "available")
    attachments = f"/servers/{server_id}/os-volume_attachments"
    here.good("POST", "compute", attachments, {"volumeAttachment": {"volumeId": volume_id}})
    tenant.reached("block-storage", f"/volumes/{volume_id}", "volume", "in-use")
    here.good("PUT", "compute", f"/servers/{server_id}/metadata", {"metadata": {"k": "v"}})
    here.good("PUT", "compute", f"/servers/{server_id}/tags", {"tags": ["t"]})
    here.good("POST", "block-storage", f"/volumes/{volume_id}/metadata", {"metadata": {"k": "v"}})
    keypair = here.make("compute", "os-keypairs", "keypair", name=unique("key"))
    group = here.make("compute", "os-server-groups", "server_group", name=unique(), policy="anti-affinity")
    actions = here.good("GET", "compute", f"/servers/{server_id}/os-instance-actions")["instanceActions"]
    types = admin.good("GET", "block-storage", "/types")["volume_types"]
    yield {
        "compute": {
            "server_id": server_id, "servers": server_id, "flavors": str(flavor["id"]), "flavor_id": str(flavor["id"]),
            "os-volume_attachments": volume_id, "volume_id": volume_id, "metadata": "k", "key": "k", "tags": "t",
            "tag": "t", "os-keypairs": str(keypair["name"]), "keypair_name": str(keypair["name"]),
            "os-server-groups": str(group["id"]), "server_group_id": str(group["id"]),
            "os-instance-actions": actions[0]["request_id"], "request_id": actions[0]["request_id"],
            "os-interface": str(port["id"]), "port_id": str(port["id"]),
            "os-quota-sets": tenant.project_id, "tenant_id": tenant.project_id, "project_id": tenant.project_id,
            "os-quota-class-sets": "default", "quota_class_id": "default",
            "os-simple-tenant-usage": tenant.project_id, "images": image_id, "image_id": image_id,
            "os-volumes": volume_id, "os-snapshots": str(snapshot["id"]), "snapshot_id": str(snapshot["id"]),
        },
        "block-storage": {
            "volumes": volume_id, "volume_id": volume_id, "snapshots": str(snapshot["id"]),
            "snapshot_id": str(snapshot["id"]), "types": str(types[0]["id"]), "type_id": str(types[0]["id"]),
            "volume_type_id": str(types[0]["id"]), "os-quota-sets": tenant.project_id, "metadata": "k",
            "os-quota-class-sets": "default", "quota_class_id": "default",
        },
    }  # fmt: skip
    here.good("DELETE", "compute", f"/servers/{server_id}")
    here.delete("block-storage", f"/snapshots/{snapshot['id']}")


def filled(path: str, ids: dict[str, str]) -> str | None:
    """A path with ids of things that are there; None when there is no such thing."""
    segments = path.split("/")
    for place, segment in enumerate(segments):
        found = re.fullmatch(r"\{(\w+)\}", segment)
        if found is None:
            continue
        value = ids.get(segments[place - 1]) or ids.get(found[1])
        if value is None:
            return None
        segments[place] = value
    return "/".join(segments)


def test_every_read_in_every_version(
    region: Region, tenant: Tenant, things: dict[str, dict[str, str]], schemas: Checker
) -> None:
    """All that is wrong is told at once. What does not exist at a version, or needs what is not there, is an error, and
    has no schema."""
    wrong: list[str] = []
    every = sorted(set(reads(schemas, things)), key=lambda read: (*read[:2], _number(read[2])))
    for read in every if IS_WHOLE else sample(every):
        status, said = told(tenant.here, *read)
        wrong += said
        if IS_WHOLE or status == 403:
            wrong += told(region.admin, *read)[1]
    assert not wrong, "\n\n".join(sorted(set(wrong)))


def reads(schemas: Checker, things: dict[str, dict[str, str]]) -> Iterator[tuple[str, str, str]]:
    """(service, path, version) of all reads of things that are there."""
    for route in [route for judge in schemas.judges for route in judge.routes]:
        service = route["service"]
        path = filled(route["path"], things[service])
        if route["verb"] == "GET" and path is not None and path != _WITHOUT_SERVICE:
            yield from ((service, path, version) for version in (*route["versions"], _LATEST[service]))


def sample(every: list[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    """Of each read the first version and the last."""
    for _read, group in groupby(every, key=lambda read: read[:2]):
        versions = list(group)
        yield from dict.fromkeys((versions[0], versions[-1]))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def told(caller: Caller, service: str, path: str, version: str) -> tuple[int, list[str]]:
    """The status of one read, and what is wrong with its answer."""
    headers = {"OpenStack-API-Version": f"{_WORDS[service]} {version}"}

    def ask() -> requests.Response:
        return caller("GET", service, path, headers=headers)

    try:
        # A busy machine may be late.
        answer = eventually(ask, lambda seen: seen.status_code != 503, f"GET {path} at {version}", 60)
    except AssertionError as error:
        return 0, [str(error)]
    status = answer.status_code
    return status, [f"GET {path} at {version}: {status} {answer.text}"] if status >= 500 else []
