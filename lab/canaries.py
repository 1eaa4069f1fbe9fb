# SPDX-License-Identifier: Apache-2.0
"""Which words name things inside pods, so that no tenant may ever read them?"""

from __future__ import annotations

import json
from dataclasses import dataclass

from lab import ini
from lab.services.cinder import BACKEND
from lab.topology import HOST, Lab, Pod

FLAVOR_ID = "1"  # of Pod2: an id that a user's own flavor may well have, with another shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the lab calls the things that a pod has of its own."""

    flavor: str
    image: str
    shared_network: str
    external_network: str


def names(pod: Pod) -> Names:
    return Names(
        flavor=f"canary-flavor-{pod.name}",
        image=f"canary-image-{pod.name}",
        shared_network=f"canary-net-shared-{pod.name}",
        external_network=f"canary-net-external-{pod.name}",
    )


def words(lab: Lab) -> dict[str, str]:
    """Word -> what it names. A word stands for everything that it is a part of."""
    found = {
        "canaryhost": "hosts of Nova, Neutron and Cinder in every pod",
        BACKEND: "storage backend of every pod",
        "canary-zone": "availability zones of the pods from Pod2 on",
        "canary-net": "networks of a pod's own",
        "canary-flavor": "flavors of a pod's own",
        "canary-image": "images of a pod's own Glance",
        "canary-domain": "DNS domains of the pods' Neutrons",
    }
    for pod in lab.pods:
        found[pod.region] = "Keystone region of a pod"
        for service, port in pod.ports.items():
            found[f"{HOST}:{port}"] = f"address of {service} in {pod.name}"
        for service, url in pod.own_names.items():
            found[url.partition("://")[2]] = f"what {service} in {pod.name} calls itself"
    return found


def write(lab: Lab) -> None:
    """Write .lab/canaries.json: {"words": {word: what it names}}."""
    ini.write(lab.state / "canaries.json", json.dumps({"words": words(lab)}, indent=2) + "\n", 0o644)
