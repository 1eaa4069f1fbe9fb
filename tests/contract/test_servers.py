# SPDX-License-Identifier: Apache-2.0
"""How does a server come, what does it show, and what does it leave behind?"""

from collections.abc import Callable

import pytest

from tests.contract.cloud import Cloud, eventually, unique
from tests.contract.conftest import Undo

Boot = Callable[..., str]
V = {"OpenStack-API-Version": "compute 2.96"}


def test_a_boot_is_202_with_a_location_and_little_else(cloud: Cloud, undo: Undo) -> None:
    fields = {"name": unique("server"), "flavorRef": cloud.flavor_id, "imageRef": cloud.image_id, "networks": "none"}
    answer = cloud.tenant("POST", "compute", "/v2.1/servers", {"server": fields}, V)
    assert answer.status_code == 202
    server = answer.json()["server"]
    undo(cloud.tenant, "compute", f"/v2.1/servers/{server['id']}")
    assert set(server) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}
    assert server["security_groups"] == [{"name": "default"}]
    hrefs = {link["rel"]: link["href"] for link in server["links"]}
    assert answer.headers["Location"] == hrefs["self"]
    assert hrefs["self"].endswith(f"/v2.1/servers/{server['id']}")
    assert hrefs["bookmark"].endswith(f"/servers/{server['id']}")
    assert "/v2.1/" not in hrefs["bookmark"]


def test_the_answer_repeats_the_security_groups_that_were_asked_for(
    cloud: Cloud, port: Callable[..., dict], undo: Undo
) -> None:
    made = port()
    fields = {
        "name": unique("server"),
        "flavorRef": cloud.flavor_id,
        "imageRef": cloud.image_id,
        "networks": [{"port": made["id"]}],
        "security_groups": [{"name": "default"}],
    }
    server = cloud.tenant.good("POST", "compute", "/v2.1/servers", {"server": fields})["server"]
    undo(cloud.tenant, "compute", f"/v2.1/servers/{server['id']}")
    assert server["security_groups"] == [{"name": "default"}]


def test_a_group_of_another_project_is_found_where_it_is_shared(
    cloud: Cloud, boot: Boot, port: Callable[..., dict], undo: Undo
) -> None:
    mine = port()
    server_id = boot(networks=[{"port": mine["id"]}])
    body = {"security_group": {"name": unique("lent")}}
    group = cloud.admin.good("POST", "network", "/v2.0/security-groups", body)["security_group"]
    undo(cloud.admin, "network", f"/v2.0/security-groups/{group['id']}")
    path = f"/v2.1/servers/{server_id}"
    add = {"addSecurityGroup": {"name": group["id"]}}
    refused = cloud.tenant("POST", "compute", f"{path}/action", add)
    assert refused.status_code == 404
    text = f"Security group {group['id']} is not found for project {cloud.tenant.project_id}"
    assert refused.json()["itemNotFound"]["message"] == text
    policy = {"object_type": "security_group", "object_id": group["id"], "action": "access_as_shared"}
    wanted = {"rbac_policy": {**policy, "target_tenant": cloud.tenant.project_id}}
    cloud.admin.good("POST", "network", "/v2.0/rbac-policies", wanted)
    assert cloud.tenant("POST", "compute", f"{path}/action", add).status_code == 202
    listed = cloud.tenant.good("GET", "compute", f"{path}/os-security-groups")["security_groups"]
    assert group["name"] in {one["name"] for one in listed}
    remove = {"removeSecurityGroup": {"name": group["id"]}}
    assert cloud.tenant("POST", "compute", f"{path}/action", remove).status_code == 202
    listed = cloud.tenant.good("GET", "compute", f"{path}/os-security-groups")["security_groups"]
    assert group["name"] not in {one["name"] for one in listed}


def test_a_server_becomes_active(cloud: Cloud, boot: Boot) -> None:
    server_id = boot(metadata={"purpose": "contract"})
    server = cloud.tenant.good("GET", "compute", f"/v2.1/servers/{server_id}", OpenStack_API_Version="compute 2.96")
    server = server["server"]
    assert server["metadata"] == {"purpose": "contract"}
    assert server["tenant_id"] == cloud.tenant.project_id
    assert server["image"]["id"] == cloud.image_id
    assert server["OS-EXT-AZ:availability_zone"] == cloud.zone
    assert server["pinned_availability_zone"] is None
    assert server["hostId"]
    assert "OS-EXT-SRV-ATTR:host" not in server
    assert cloud.admin.good("GET", "compute", f"/v2.1/servers/{server_id}")["server"]["OS-EXT-SRV-ATTR:host"]


def test_the_flavor_is_a_link_until_2_46_and_embedded_without_id_from_2_47(cloud: Cloud, boot: Boot) -> None:
    path = f"/v2.1/servers/{boot()}"
    old = cloud.tenant.good("GET", "compute", path, OpenStack_API_Version="compute 2.46")["server"]["flavor"]
    new = cloud.tenant.good("GET", "compute", path, OpenStack_API_Version="compute 2.47")["server"]["flavor"]
    assert old["id"] == cloud.flavor_id
    assert old["links"][0]["rel"] == "bookmark"
    assert "id" not in new
    assert new["original_name"] == cloud.flavor_id


def test_a_server_without_a_port_shows_no_addresses_and_no_groups(cloud: Cloud, boot: Boot) -> None:
    server = cloud.tenant.good("GET", "compute", f"/v2.1/servers/{boot()}")["server"]
    assert server["addresses"] == {}
    assert "security_groups" not in server


def test_a_boot_with_a_given_port_uses_it(cloud: Cloud, boot: Boot, port: Callable[..., dict]) -> None:
    made = port(description="tricircle:central-id")
    server_id = boot(networks=[{"port": made["id"]}])
    used = cloud.admin.good("GET", "network", f"/v2.0/ports/{made['id']}")["port"]
    assert used["device_id"] == server_id
    assert used["device_owner"] == f"compute:{cloud.zone}"
    assert used["description"] == "tricircle:central-id"
    server = cloud.tenant.good("GET", "compute", f"/v2.1/servers/{server_id}")["server"]
    addresses = [address["addr"] for net in server["addresses"].values() for address in net]
    assert addresses == [made["fixed_ips"][0]["ip_address"]]
    assert server["security_groups"] == [{"name": "default"}]


def test_deleting_the_server_leaves_a_given_port(cloud: Cloud, boot: Boot, port: Callable[..., dict]) -> None:
    made = port(description="tricircle:central-id")
    server_id = boot(networks=[{"port": made["id"]}])
    assert cloud.tenant("DELETE", "compute", f"/v2.1/servers/{server_id}").status_code == 204
    freed = eventually(
        lambda: cloud.admin.good("GET", "network", f"/v2.0/ports/{made['id']}")["port"],
        lambda seen: seen["device_id"] == "",
    )
    assert freed["status"] == "DOWN"
    assert freed["device_owner"] == ""
    assert freed["description"] == "tricircle:central-id"
    eventually(
        lambda: cloud.tenant("GET", "compute", f"/v2.1/servers/{server_id}").status_code, lambda code: code == 404
    )


def test_a_port_in_use_is_refused(cloud: Cloud, boot: Boot, port: Callable[..., dict]) -> None:
    made = port()
    boot(networks=[{"port": made["id"]}])
    fields = {
        "name": unique("server"),
        "flavorRef": cloud.flavor_id,
        "imageRef": cloud.image_id,
        "networks": [{"port": made["id"]}],
    }
    answer = cloud.tenant("POST", "compute", "/v2.1/servers", {"server": fields})
    assert answer.status_code == 409
    assert answer.json()["conflictingRequest"]["message"] == f"Port {made['id']} is still in use."


BAD = [
    ({"networks": [{"port": "00000000-0000-4000-8000-000000000000"}]}, 400,
     "Port id 00000000-0000-4000-8000-000000000000 could not be found."),
    ({"flavorRef": "no-such-flavor"}, 400, "Flavor no-such-flavor could not be found."),
    ({"imageRef": "00000000-0000-4000-8000-000000000000"}, 400, "Can not find requested image"),
    ({"key_name": "no-such-key"}, 400, "Invalid key_name provided."),
    ({"availability_zone": "no-such-zone"}, 400, "The requested availability zone is not available"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "status", "message"), BAD)
def test_a_boot_that_names_what_is_not_there(cloud: Cloud, fields: dict, status: int, message: str) -> None:
    body = {"name": "x", "flavorRef": cloud.flavor_id, "imageRef": cloud.image_id, "networks": "none", **fields}
    answer = cloud.tenant("POST", "compute", "/v2.1/servers", {"server": body}, V)
    assert answer.status_code == status
    assert answer.json()["badRequest"] == {"code": status, "message": message}


def test_an_unknown_group_is_refused_even_with_given_ports(cloud: Cloud, port: Callable[..., dict]) -> None:
    made = port()
    body = {
        "name": "x",
        "flavorRef": cloud.flavor_id,
        "imageRef": cloud.image_id,
        "networks": [{"port": made["id"]}],
        "security_groups": [{"name": "no-such-group"}],
    }
    answer = cloud.tenant("POST", "compute", "/v2.1/servers", {"server": body})
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"] == "Unable to find security_group with name or id 'no-such-group'"


def test_stop_and_start(cloud: Cloud, boot: Boot) -> None:
    path = f"/v2.1/servers/{boot()}"
    assert cloud.tenant("POST", "compute", f"{path}/action", {"os-stop": None}).status_code == 202
    status = lambda: cloud.tenant.good("GET", "compute", path)["server"]["status"]  # noqa: E731
    eventually(status, lambda seen: seen == "SHUTOFF")
    again = cloud.tenant("POST", "compute", f"{path}/action", {"os-stop": None})
    assert again.status_code == 409
    assert "conflictingRequest" in again.json()
    assert cloud.tenant("POST", "compute", f"{path}/action", {"os-start": None}).status_code == 202
    eventually(status, lambda seen: seen == "ACTIVE")


def test_a_server_is_not_there_for_another_tenant(cloud: Cloud, boot: Boot) -> None:
    server_id = boot()
    answer = cloud.other("GET", "compute", f"/v2.1/servers/{server_id}")
    assert answer.status_code == 404
    assert answer.json()["itemNotFound"]["message"] == f"Instance {server_id} could not be found."
    assert cloud.admin("GET", "compute", f"/v2.1/servers/{server_id}").status_code == 200


def test_a_server_gets_ports_of_its_own_project_only_whoever_asks(
    cloud: Cloud, boot: Boot, port: Callable[..., dict], network: dict[str, str], undo: Undo
) -> None:
    path = f"/v2.1/servers/{boot()}"
    asked = {"port": {"network_id": network["id"], "project_id": cloud.admin.project_id}}
    foreign = cloud.admin.good("POST", "network", "/v2.0/ports", asked)["port"]
    undo(cloud.admin, "network", f"/v2.0/ports/{foreign['id']}")
    body = {"interfaceAttachment": {"port_id": foreign["id"]}}
    refused = cloud.admin("POST", "compute", f"{path}/os-interface", body)
    text = f"Port {foreign['id']} not usable for instance {path.rpartition('/')[2]}."
    assert (refused.status_code, refused.json()["badRequest"]["message"]) == (400, text)
    own = port()
    body = {"interfaceAttachment": {"port_id": own["id"]}}
    given = cloud.admin.good("POST", "compute", f"{path}/os-interface", body)["interfaceAttachment"]
    assert given["port_id"] == own["id"]


def test_interfaces_name_port_and_network(cloud: Cloud, boot: Boot, port: Callable[..., dict]) -> None:
    made = port()
    server_id = boot(networks=[{"port": made["id"]}])
    found = cloud.tenant.good("GET", "compute", f"/v2.1/servers/{server_id}/os-interface")["interfaceAttachments"]
    assert [(one["port_id"], one["net_id"]) for one in found] == [(made["id"], made["network_id"])]
    assert cloud.tenant("DELETE", "compute", f"/v2.1/servers/{server_id}/os-interface/{made['id']}").status_code == 202
    freed = eventually(
        lambda: cloud.admin.good("GET", "network", f"/v2.0/ports/{made['id']}")["port"],
        lambda seen: seen["device_id"] == "",
    )
    assert freed["id"] == made["id"]


def test_a_server_is_held_to_the_az_that_it_comes_back_to(cloud: Cloud, boot: Boot) -> None:
    """Null lets it go, the name holds it; pinning takes the AZ that it is in, and no other while it is held."""
    path = f"/v2.1/servers/{boot()}"
    newest = {"OpenStack-API-Version": "compute 2.104"}

    def act(action: str, value: object = None) -> int:
        return cloud.tenant("POST", "compute", f"{path}/action", {action: value}, newest).status_code

    def shown() -> dict:
        return dict(cloud.tenant.good("GET", "compute", path, OpenStack_API_Version="compute 2.104")["server"])

    def reached(status: str) -> object:
        eventually(shown, lambda server: server["status"] == status and not server["OS-EXT-STS:task_state"])
        return shown()["pinned_availability_zone"]

    def pin(zone: str | None) -> int:
        body = {"server": {"pinned_availability_zone": zone}}
        return cloud.tenant("PUT", "compute", path, body, newest).status_code

    assert reached("ACTIVE") is None
    assert act("unshelve", {"availability_zone": None}) == 409
    for wanted in (cloud.zone, None):
        assert act("shelve") == 202
        reached("SHELVED_OFFLOADED")
        assert act("unshelve", {"availability_zone": "nowhere"}) == 400
        assert act("unshelve", {"availability_zone": wanted}) == 202
        assert reached("ACTIVE") == wanted
    assert (pin("nowhere"), pin(cloud.zone), pin("nowhere"), pin(cloud.zone)) == (409, 200, 409, 200)
    assert shown()["pinned_availability_zone"] == cloud.zone
    assert (pin(None), shown()["pinned_availability_zone"]) == (200, None)
