# SPDX-License-Identifier: Apache-2.0
"""Does an inspection see what drifted, and change nothing?"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.unit.pods.conftest import Bench, soon
from tricircle.conf.settings import GatewaySettings
from tricircle.context import Deadline, ProjectId
from tricircle.errors import ServiceUserError
from tricircle.model.pod import Pod, PodState, Service
from tricircle.pods.findings import Finding, Level
from tricircle.pods.inspection import Inspection
from tricircle.pods.registration import Change, Draft
from tricircle.upstream.client import Clients


@pytest.fixture
async def pod(bench: Bench) -> Pod:
    bench.pod1.zone = "az1"
    return await bench.registration.register(Draft(name="Pod1", az_name="az1"), soon())


@pytest.fixture
def inspection(bench: Bench) -> Inspection:
    return inspection_of(bench)


def inspection_of(bench: Bench) -> Inspection:
    return Inspection(
        bench.registry,
        bench.surveyor,
        bench.clients,
        bench.catalog,
        aggregates=bench.aggregates,
        bindings=bench.bindings,
        gateway=GatewaySettings(public_endpoint="https://cloud.example"),
    )


async def findings(inspection: Inspection, pod: Pod) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in await inspection.inspect(pod, soon()):
        assert finding.pod == pod.name
        found.setdefault(finding.check, []).append(finding)
    return found


async def worst(inspection: Inspection, pod: Pod, check: str) -> Finding:
    order = list(Level)
    return max((await findings(inspection, pod))[check], key=lambda finding: order.index(finding.level))


async def test_a_good_pod_has_no_failure_and_nothing_is_changed(bench: Bench, inspection: Inspection, pod: Pod) -> None:
    await bench.bindings.ensure(ProjectId("p1"), pod, soon())
    for region in (bench.pod1, bench.centre):
        region.calls.clear()
    found = await findings(inspection, pod)
    levels = {finding.level for check in found.values() for finding in check}
    assert levels <= {Level.OK, Level.NOTE}
    assert len(found["services"]) == 5
    assert "bound projects: 1; none of the 1 that were looked at is limited" in found["limits"][0].text
    assert {call.split()[0] for call in bench.pod1.calls + bench.centre.calls} == {"GET"}
    assert bench.catalog.changes == []


async def test_services_that_fail_or_moved(bench: Bench, inspection: Inspection, pod: Pod) -> None:
    bench.catalog.put("id-image", "public", "Pod1", bench.pod2.catalog_url("image"))
    moved = await worst(inspection, pod, "services")
    assert moved.level is Level.WARNING
    assert f"image was at {bench.pod1.url('image')}" in moved.text
    assert moved.remedy == "openstack multiregion networking pod set --enable Pod1"
    bench.pod1.broken["network"] = 502
    failed = await worst(inspection, pod, "services")
    assert failed.level is Level.FAILURE
    assert "network at" in failed.text


async def test_the_region_s_parent(bench: Bench, inspection: Inspection, pod: Pod) -> None:
    bench.catalog.add("Pod1", {})
    finding = await worst(inspection, pod, "region")
    assert (finding.level, finding.remedy) == (Level.WARNING, "tricircle-manage catalog sync")


async def test_the_aggregate(bench: Bench, inspection: Inspection, pod: Pod) -> None:
    bench.centre.aggregates.clear()
    assert (await worst(inspection, pod, "aggregate")).text == "aggregate ag_Pod1 at the central Nova is missing"


@pytest.mark.parametrize(("skew_s", "level"), [(0, Level.OK), (-20, Level.WARNING), (3600, Level.FAILURE)])
async def test_the_clock(bench: Bench, inspection: Inspection, pod: Pod, skew_s: int, level: Level) -> None:
    bench.pod1.date = format_datetime(datetime.now(UTC) + timedelta(seconds=skew_s), usegmt=True)
    assert (await worst(inspection, pod, "clock")).level is level


async def test_extensions(bench: Bench, inspection: Inspection, pod: Pod) -> None:
    bench.pod1.extensions = ["router", "quotas"]
    finding = await worst(inspection, pod, "extensions")
    assert finding.level is Level.FAILURE
    assert finding.text == "the network service lacks provider, security-group, standard-attr-description"
    bench.pod1.extensions = ["provider", "quotas", "security-group", "standard-attr-description"]
    finding = await worst(inspection, pod, "extensions")
    assert finding.level is Level.WARNING
    assert finding.text == (
        "the network service lacks port-security: networks and ports without port security cannot be in it"
    )


async def test_zones(bench: Bench, inspection: Inspection, pod: Pod) -> None:
    bench.pod1.zone = "nova"
    finding = await worst(inspection, pod, "zones")
    assert finding.level is Level.WARNING
    assert finding.text == "compute, block-storage, network name their zones nova; users see az1"
    given = await bench.registration.change(pod.id, Change(pod_az_name="elsewhere"), soon())
    assert (await worst(inspection, given, "zones")).level is Level.FAILURE
    given = await bench.registration.change(pod.id, Change(pod_az_name="nova"), soon())
    assert (await worst(inspection, given, "zones")).level is Level.WARNING


async def test_limits_that_came_back_and_projects_that_are_gone(bench: Bench, inspection: Inspection, pod: Pod) -> None:
    binding = await bench.bindings.ensure(ProjectId("p1"), pod, soon())
    bench.pod1.quotas["compute", "p1"]["cores"] = 4
    finding = await worst(inspection, pod, "limits")
    assert (finding.level, finding.text) == (Level.WARNING, "project p1 is limited in the pod: compute cores")
    bench.pod1.projects.clear()
    finding = await worst(inspection, pod, "limits")
    assert finding.text == "project p1 does not exist any more"
    assert finding.remedy == f"openstack multiregion networking binding delete {binding.id}"


async def test_the_doors_own_address(bench: Bench, inspection: Inspection, pod: Pod) -> None:
    assert (await worst(inspection, pod, "reach")).level is Level.NOTE
    near = Inspection(
        bench.registry,
        bench.surveyor,
        bench.clients,
        bench.catalog,
        aggregates=bench.aggregates,
        bindings=bench.bindings,
        gateway=GatewaySettings(public_endpoint="http://127.0.0.1:20080"),
    )
    assert (await worst(near, pod, "reach")).level is Level.WARNING


async def test_services_below_a_path_hold_access_rules_against_all_of_it(
    bench: Bench, inspection: Inspection, pod: Pod
) -> None:
    """Users write rules for ``/v2.1/servers``, which such a service never sees."""

    async def said(path: str) -> str:
        places = {name: replace(one, url=f"http://127.0.0.1{path}") for name, one in pod.endpoints.items()}
        return (await worst(inspection, replace(pod, endpoints=places), "tokens")).text

    assert "service_type" in await said("")
    assert "rules against" not in await said("")
    assert "block-storage, compute, image, network hold rules against a path" in await said("/api")


async def test_a_dead_pod_is_told_check_by_check(bench: Bench, inspection: Inspection, pod: Pod) -> None:
    bench.pod1.broken = dict.fromkeys(("compute", "network", "block-storage", "image", "placement"), 500)
    found = await findings(inspection, pod)
    assert found["zones"][0].level is Level.FAILURE
    assert "could not be checked" in found["zones"][0].text
    assert found["aggregate"][0].level is Level.OK


@pytest.mark.parametrize(("policy", "level"), [("lower", Level.WARNING), ("skip", Level.NOTE)])
async def test_who_holds_microversions_back_is_named(bench: Bench, pod: Pod, policy: str, level: Level) -> None:
    inspection = Inspection(
        bench.registry,
        bench.surveyor,
        bench.clients,
        bench.catalog,
        aggregates=bench.aggregates,
        bindings=bench.bindings,
        gateway=GatewaySettings(older_pods=policy),
    )
    assert (await worst(inspection, pod, "versions")).level is Level.OK
    own = pod.endpoints[Service.COMPUTE]
    behind = replace(pod, endpoints={**pod.endpoints, Service.COMPUTE: replace(own, max_version="2.80")})
    finding = await worst(inspection, behind, "versions")
    assert finding.level is level
    assert finding.text.startswith("compute 2.80: ")
    assert finding.text.endswith(f"Pod1: {own.max_version}")
    assert ("older_pods = skip" in finding.remedy) is (policy == "lower")


async def test_an_aggregate_that_does_not_say_what_the_pod_is(bench: Bench, inspection: Inspection, pod: Pod) -> None:
    next(iter(bench.centre.aggregates.values()))["metadata"].clear()
    finding = await worst(inspection, pod, "aggregate")
    assert finding.level is Level.WARNING
    assert finding.remedy == "openstack multiregion networking pod set --enable Pod1"
    await bench.registration.change(pod.id, Change(state=PodState.ENABLED), soon())
    assert (await worst(inspection, pod, "aggregate")).level is Level.OK


class Refused:
    """Tokens of a service user without the role."""

    async def token(self, _deadline: Deadline) -> str:
        raise ServiceUserError("The service user has no role 'admin'")


async def test_a_service_user_without_the_role_is_all_that_is_said(bench: Bench, pod: Pod) -> None:
    """Every other check would speak of what its calls do not show."""
    bench.clients = Clients(bench.pools, Refused())
    (finding,) = await inspection_of(bench).inspect(pod, soon())
    assert (finding.check, finding.level) == ("service user", Level.FAILURE)
    assert "no role 'admin'" in finding.text


async def test_a_pod_whose_neutron_takes_us_for_no_administrator(
    bench: Bench, inspection: Inspection, pod: Pod
) -> None:
    """It has another role for administrators: what others may see of its agents is an empty list."""
    bench.pod1.refused["GET network /v2.0/quotas/00000000-0000-4000-8000-000000000000"] = 403
    finding = await worst(inspection, pod, "services")
    assert finding.level is Level.FAILURE
    assert "does not accept the service user as administrator" in finding.text
