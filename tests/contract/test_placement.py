# SPDX-License-Identifier: Apache-2.0
"""How is a pod's room read from its Placement?"""

from tests.contract.cloud import Cloud


def test_inventories_and_usages_of_a_host(cloud: Cloud) -> None:
    providers = cloud.admin.good("GET", "placement", "/resource_providers")["resource_providers"]
    path = f"/resource_providers/{providers[0]['uuid']}"
    inventories = cloud.admin.good("GET", "placement", f"{path}/inventories")["inventories"]
    assert {"VCPU", "MEMORY_MB", "DISK_GB"} <= set(inventories)
    assert {"total", "reserved", "allocation_ratio"} <= set(inventories["VCPU"])
    usages = cloud.admin.good("GET", "placement", f"{path}/usages")["usages"]
    assert {"VCPU", "MEMORY_MB", "DISK_GB"} <= set(usages)


def test_candidates_say_whether_something_fits(cloud: Cloud) -> None:
    headers = {"OpenStack_API_Version": "placement 1.36"}
    fits = cloud.admin.good("GET", "placement", "/allocation_candidates?resources=VCPU:1,MEMORY_MB:64", **headers)
    assert fits["allocation_requests"]
    path = "/allocation_candidates?resources=VCPU:1000000"
    assert cloud.admin.good("GET", "placement", path, **headers)["allocation_requests"] == []


def test_usages_of_a_project(cloud: Cloud) -> None:
    path = f"/usages?project_id={cloud.tenant.project_id}"
    usages = cloud.admin.good("GET", "placement", path, OpenStack_API_Version="placement 1.9")["usages"]
    assert all(isinstance(value, int) for value in usages.values())
