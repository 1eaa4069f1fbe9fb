# SPDX-License-Identifier: Apache-2.0
"""How does a security group in a pod come to exactly the rules that it should have?

It has them all, or whoever writes them hears an error: a rule that was not written closes what the tenant opened.
"""

from collections.abc import Mapping, Sequence

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, refused_as, rows, text
from tricircle.copies.limits import post_for
from tricircle.copies.reach import show
from tricircle.copies.security_group_rules import RuleKey, remote_of, rule_key, twins
from tricircle.errors import UpstreamStatusError
from tricircle.upstream.client import ServiceClient

#: What Neutron calls the limits that count for a group and its rules.
LIMITS = ("security_group", "security_group_rule")

_PATH = "/v2.0/security-group-rules"
_EXISTS = "SecurityGroupRuleExists"
#: Rules of one call: each costs the pod an INSERT of its own, and what was written stays when the time is up.
_RULES = 25
#: So often twins of rules are written anew, when others write at the same instant again; then the sweep sees them.
_LOOKS = 3


async def write_rules(
    client: ServiceClient, present: Body, wanted: Mapping[RuleKey, Mapping[str, object]], deadline: Deadline
) -> None:
    """Delete what is too much, then create what is missing: Neutron takes some pairs of rules for duplicates.

    Of twins none is kept. OVN has one flow for both, and Neutron removes it with either: the one that stayed would let
    nothing in.

    :param present: the group as the pod shows it
    :raises UpstreamStatusError, UnavailableError: not all are there
    """
    missing, doubled = dict(wanted), twins(present)
    for rule in rows(present, "security_group_rules"):
        key = rule_key(rule, remote_of(rule))
        if key in doubled or missing.pop(key, None) is None:
            await _delete_rule(client, text(rule, "id"), deadline)
    for _ in range(_LOOKS):
        if not missing:
            return
        await _post_rules(client, present, missing, deadline)
        # Others may have written at the same instant; whoever looks last sees the rules of all.
        now = await show(client, f"/v2.0/security-groups/{text(present, 'id')}", "security_group", deadline)
        doubled = twins(now or {})
        for rule_id in (rule_id for ids in doubled.values() for rule_id in ids):
            await _delete_rule(client, rule_id, deadline)
        missing = {key: wanted[key] for key in doubled if key in wanted}


async def _post_rules(
    client: ServiceClient, present: Body, missing: Mapping[RuleKey, Mapping[str, object]], deadline: Deadline
) -> None:
    owner = {"security_group_id": text(present, "id"), "project_id": text(present, "project_id")}
    bodies = [{**body, **owner} for body in missing.values()]
    for at in range(0, len(bodies), _RULES):
        await _post_portion(client, bodies[at : at + _RULES], owner["project_id"], deadline)


async def _post_portion(
    client: ServiceClient, bodies: Sequence[Mapping[str, object]], project_id: str, deadline: Deadline
) -> None:
    async def post(body: dict[str, object]) -> None:
        await post_for(client, _PATH, body, project_id=project_id, limits=LIMITS, deadline=deadline)

    try:
        await post({"security_group_rules": bodies})
    except UpstreamStatusError as error:
        if error.status != 409:
            raise
    else:
        return
    # All or nothing: one that is there already refuses them all.
    for body in bodies:
        try:
            await post({"security_group_rule": body})
        except UpstreamStatusError as error:
            if refused_as(error.body) != _EXISTS:
                raise


async def _delete_rule(client: ServiceClient, rule_id: str, deadline: Deadline) -> None:
    await client.delete(f"/v2.0/security-group-rules/{rule_id}", deadline=deadline, ok=(404,))
