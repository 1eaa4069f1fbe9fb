# SPDX-License-Identifier: Apache-2.0
"""With whom are networks and groups of the fake Neutron shared, and who keeps it from ending?"""

from collections.abc import Mapping

from tricircle.testing.exchange import Json, Refusal

#: What a fake Neutron holds: by collection and id.
Resources = Mapping[str, Mapping[str, Json]]


def new_policy(resources: Resources, given: Json) -> Json:
    """One as it is kept. :raises Refusal: there is one like it"""
    fields = ("object_type", "object_id", "action", "target_tenant")
    for other in resources["rbac_policies"].values():
        if all(other[field] == given.get(field) for field in fields):
            raise Refusal(409, "An RBAC policy already exists with those values.", "DuplicateRbacPolicy")
    return {field: given.get(field) for field in fields}


def refuse_used(resources: Resources, policy: Json) -> None:
    """A project that has ports on somebody else's network, or with somebody else's group, keeps its access."""
    if policy["object_type"] == "security_group":
        _refuse_used_group(resources, policy)
        return
    network = resources["networks"][policy["object_id"]]
    others = [one for one in resources["rbac_policies"].values() if one["object_id"] == network["id"]]
    target = policy["target_tenant"]
    if target == network["project_id"] or (target != "*" and any(one["target_tenant"] == "*" for one in others)):
        return
    kept = {network["project_id"]} | {one["target_tenant"] for one in others if one is not policy}
    for port in resources["ports"].values():
        project_id = port["project_id"]
        is_losing = project_id not in kept if target == "*" else project_id == target
        if port["network_id"] == network["id"] and is_losing:
            text = (
                f"RBAC policy on object {network['id']} cannot be removed because other objects depend on it.\n"
                f"Details: Callbacks failed: Unable to reconfigure sharing settings for network {network['id']}. "
                "Multiple projects are using it."
            )
            raise Refusal(409, text, "RbacPolicyInUse")


def _refuse_used_group(resources: Resources, policy: Json) -> None:
    group_id, target = policy["object_id"], policy["target_tenant"]
    ports = resources["ports"].values()
    if any(port["project_id"] == target and group_id in port["security_groups"] for port in ports):
        text = (
            f"RBAC policy on object {group_id} cannot be removed because other objects depend on it.\n"
            f"Details: project_id={target}"
        )
        raise Refusal(409, text, "RbacPolicyInUse")


def is_shared_with(resources: Resources, one: Json, project_id: str) -> bool:
    """Whether somebody else's network may be used by this project."""
    policies = resources["rbac_policies"].values()
    return bool(one.get("shared")) or any(
        policy["object_id"] in (one["id"], one.get("network_id")) and policy["target_tenant"] in (project_id, "*")
        for policy in policies
    )
