# SPDX-License-Identifier: Apache-2.0
"""Which networks of operators had been adopted, when nobody has written it down any more? Pure.

Nothing in a pod says so: an adopted network is left as it is. The centre says it: the port that holds what the pod uses
of a subnet keeps in its profile, which only administrators see, which network and subnet in the pod that was for. One
of which the pod uses no address has no such port, and is not known again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tricircle.audit.findings import Holding, Part
from tricircle.copies.agreement import pairs
from tricircle.copies.bodies import Body, text
from tricircle.copies.origins import ADOPTED_NETWORK, SLICE_OWNER, kept
from tricircle.copies.shares import ACTION
from tricircle.copies.subnet_content import is_automatic
from tricircle.model.pod import Pod
from tricircle.model.routing import ADOPTED, NETWORK_ID, Kind
from tricircle.recovery.contents import Contents
from tricircle.recovery.declared import Declared
from tricircle.recovery.facts import Fact
from tricircle.recovery.recoverable import copy_of


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was adopted in one pod.

    :ivar networks, subnets: the routings to be, by central id
    :ivar gone: networks of the pod that had been adopted, and are not there
    """

    networks: dict[str, Fact] = field(default_factory=dict)
    subnets: dict[str, Fact] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)


def adopted(contents: Contents, declared: Declared) -> Adopted:
    """:param contents: with networks, subnets and RBAC policies of the pod"""
    found, pod = Adopted(), contents.pod
    for network_id, pod_network_id in _noted(pod, declared).items():
        network, holding = declared.networks.get(network_id), contents.by_id(Kind.NETWORK).get(pod_network_id)
        if network is None:
            continue
        if holding is None:
            found.gone.append(pod_network_id)
            continue
        found.networks[network_id] = _network(contents, network, holding, declared)
        ours = [subnet for subnet in declared.subnets.values() if subnet["network_id"] == network_id]
        theirs = {
            one.pod_resource_id: one
            for one in contents.lists[Kind.SUBNET]
            if one.body.get("network_id") == pod_network_id
        }
        for subnet, present in pairs(ours, [one.body for one in theirs.values()])[0]:
            there = theirs[text(present, "id")]
            found.subnets[text(subnet, "id")] = _subnet(pod, subnet, there, declared)
    return found


def _noted(pod: Pod, declared: Declared) -> Mapping[str, str]:
    """The pod's network by the centre's."""
    found: dict[str, str] = {}
    for (host, subnet_id), port in declared.slices.items():
        subnet, pod_network_id = declared.subnets.get(subnet_id), kept(port).get(ADOPTED_NETWORK)
        if host == pod.name and subnet is not None and pod_network_id and port.get("device_owner") == SLICE_OWNER:
            found[text(subnet, "network_id")] = pod_network_id
    return found


def _network(contents: Contents, network: Body, holding: Holding, declared: Declared) -> Fact:
    ours: set[str] = set()
    others: set[str] = set()
    for policy in _shares(contents, holding.pod_resource_id):
        (ours if policy.project_id == declared.owner_id else others).add(text(policy.body, "target_tenant"))
    # What a row that is there says of shares is truer: of some of ours the operator may have been the first.
    defaults: dict[str, object] = {"lent": sorted(others)}
    if ours:
        defaults["projects"] = sorted(ours)
    fact = copy_of(contents.pod, Kind.NETWORK, holding, network, {ADOPTED: True}, agrees=True)
    return replace(fact, defaults=defaults)


def _shares(contents: Contents, pod_network_id: str) -> Iterator[Holding]:
    for policy in contents.lists[Part.RBAC_POLICY]:
        if (policy.body.get("object_id"), policy.body.get("action")) == (pod_network_id, ACTION):
            yield policy


def _subnet(pod: Pod, subnet: Body, holding: Holding, declared: Declared) -> Fact:
    port, gateway_ip = declared.slice_of(pod, text(subnet, "id")), holding.body.get("gateway_ip")
    details = {
        ADOPTED: True,
        "gateway_ip": gateway_ip,
        "slice_port_id": None if port is None else text(port, "id"),
        "is_home": bool(gateway_ip) and gateway_ip == subnet.get("gateway_ip"),
        "is_automatic": is_automatic(subnet),
        NETWORK_ID: text(subnet, "network_id"),
    }
    return copy_of(pod, Kind.SUBNET, holding, subnet, details, agrees=True)
