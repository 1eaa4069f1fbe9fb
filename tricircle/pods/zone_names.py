# SPDX-License-Identifier: Apache-2.0
"""How do a pod's services name their zones, and does that fit what users see? Pure."""

from collections.abc import Sequence

from tricircle.model.pod import Pod, Service
from tricircle.pods.findings import Finding, Level, finding_of

#: Where a service tells its zones: path, key of the list, key of a zone's name.
ZONES = (
    (Service.COMPUTE, "/v2.1/os-availability-zone", "availabilityZoneInfo", "zoneName"),
    (Service.BLOCK_STORAGE, "/v3/os-availability-zone", "availabilityZoneInfo", "zoneName"),
    (Service.NETWORK, "/v2.0/availability_zones", "availability_zones", "name"),
)


def zone_finding(pod: Pod, services: Sequence[Service], names: Sequence[str]) -> Finding:
    """What is to be said of services that name their zones like this."""
    who = ", ".join(services)
    passed_on = pod.pod_az_name
    if passed_on and passed_on not in names and set(services) != {Service.NETWORK}:
        text = f"{who} have no zone {passed_on}, only {', '.join(names) or 'none'}"
        remedy = f"openstack multiregion networking pod set --pod-availability-zone ... {pod.name}"
        return finding_of(pod, "zones", Level.FAILURE, text, remedy)
    if pod.az_name in names and (passed_on == pod.az_name or len(names) == 1):
        return finding_of(pod, "zones", Level.OK, f"{pod.az_name} in {who}")
    text = f"{who} name their zones {', '.join(names) or 'nothing'}; users see {pod.az_name}"
    remedy = f"name it {pod.az_name} in the pod: its own name shows inside servers"
    return finding_of(pod, "zones", Level.WARNING, text, remedy)
