# SPDX-License-Identifier: Apache-2.0
"""What does the lab put into pods and centre before anybody uses them?

Into pods only what a pod's operator might have there, and what a tenant of the central region must
never meet; at the centre one public image. Every step looks first, so that it can be repeated.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from lab import canaries
from lab.rest import Json, Rest, sign_in
from lab.topology import Lab, Pod

IMAGE = "cirros"
IMAGE_BYTES = bytes(64 * 1024)


def seed(lab: Lab) -> None:
    """Make everything that is missing. All services must answer."""
    rest = sign_in(lab.keystone, "admin", "admin")
    with ThreadPoolExecutor() as pool:
        steps = [pool.submit(_image, rest, lab.url("glance"), IMAGE)]
        # A Neutron that has just started reads its policies with the first call; several first calls at once race,
        # and one of them may find no rule that allows it. The pods' Neutrons get theirs below.
        steps.append(pool.submit(rest.get, f"{lab.url('neutron')}/v2.0/networks?limit=1"))
        for pod in lab.pods:
            steps.append(pool.submit(_flavor, rest, pod))
            steps.append(pool.submit(_networks, rest, pod))
            if lab.has_own_glance(pod):
                name = canaries.names(pod).image
                steps.append(pool.submit(_image, rest, pod.url("glance"), name))
        for step in steps:
            step.result()


def _flavor(rest: Rest, pod: Pod) -> None:
    url = f"{pod.url('nova')}/v2.1/flavors"
    twin = pod.number % 2 == 0
    wanted = {
        "id": canaries.FLAVOR_ID if twin else f"canary-{pod.number}",
        "name": canaries.names(pod).flavor,
        "vcpus": 3 if twin else 1,
        "ram": 333 if twin else 64,
        "disk": 3 if twin else 1,
    }
    if wanted["id"] not in {flavor["id"] for flavor in rest.get(url)["flavors"]}:
        rest.post(url, {"flavor": wanted})


def _image(rest: Rest, glance: str, name: str) -> None:
    found = rest.get(f"{glance}/v2/images?name={name}")["images"]
    if any(image["status"] == "active" for image in found):
        return
    wanted = {
        "name": name,
        "disk_format": "raw",
        "container_format": "bare",
        "visibility": "public",
    }
    image = rest.post(f"{glance}/v2/images", wanted)
    rest.call("PUT", f"{glance}/v2/images/{image['id']}/file", IMAGE_BYTES)


def _networks(rest: Rest, pod: Pod) -> None:
    name = canaries.names(pod)
    external: Json = {
        "name": name.external_network,
        "router:external": True,
        "provider:network_type": "flat",
        "provider:physical_network": "extern",
    }
    _network(rest, pod, external, {"cidr": f"100.64.{pod.number}.0/24", "enable_dhcp": False})
    # Every tenant of the pod sees this one: a boot without networks would land on it.
    shared: Json = {"name": name.shared_network, "shared": True}
    _network(rest, pod, shared, {"cidr": f"100.65.{pod.number}.0/24"})


def _network(rest: Rest, pod: Pod, wanted: Json, subnet: Json) -> None:
    url = f"{pod.url('neutron')}/v2.0"
    found = rest.get(f"{url}/networks?name={wanted['name']}")["networks"]
    network = found[0] if found else rest.post(f"{url}/networks", {"network": wanted})["network"]
    if not network["subnets"]:
        body = {"network_id": network["id"], "ip_version": 4, "name": wanted["name"], **subnet}
        rest.post(f"{url}/subnets", {"subnet": body})
