# SPDX-License-Identifier: Apache-2.0
"""How does an operator see the services of a pod?"""

import pytest

from tests.contract.cloud import Cloud

NOVA = ("compute", "/v2.1/os-services", "nova-conductor")
CINDER = ("block-storage", "/v3/os-services", "cinder-scheduler")


@pytest.mark.parametrize(("service", "path", "binary"), [NOVA, CINDER])
def test_services_by_binary(cloud: Cloud, service: str, path: str, binary: str) -> None:
    found = cloud.admin.good("GET", service, f"{path}?binary={binary}")["services"]
    assert found
    assert {one["binary"] for one in found} == {binary}
    assert {(one["status"], one["state"]) for one in found} == {("enabled", "up")}


@pytest.mark.parametrize(("service", "path", "_binary"), [NOVA, CINDER])
def test_they_are_not_for_tenants(cloud: Cloud, service: str, path: str, _binary: str) -> None:
    assert cloud.tenant("GET", service, path).status_code == 403
