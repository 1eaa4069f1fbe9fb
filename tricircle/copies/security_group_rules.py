# SPDX-License-Identifier: Apache-2.0
"""Which rules does the copy of a security group have? Pure."""

from collections.abc import Mapping

from tricircle.copies.address_groups import Remote, of_ethertype
from tricircle.copies.bodies import Body, mark, rows, text

RuleKey = tuple[str, ...]

_FIELDS = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix")
_REMOTES = ("remote_group_id", "remote_address_group_id")
#: Neutron counts these as no prefix at all.
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def rule_key(rule: Body, remote_id: str) -> RuleKey:
    """What makes two rules of one group the same rule. ``remote_id``: the group that it names in the pod."""
    fields = [text(rule, field) for field in _FIELDS]
    return (*("" if value in _EVERYWHERE else value for value in fields), remote_id)


def remote_of(rule: Body) -> str:
    """The id of the group that a rule names as its remote, of either sort; empty without one."""
    return next((text(rule, field) for field in _REMOTES if text(rule, field)), "")


def wanted_rules(group: Body, remotes: Mapping[str, Remote | str]) -> dict[RuleKey, dict[str, object]]:
    """The copy's rules as bodies, by key.

    :param remotes: what the pod has for remote groups, by central id; a plain id is that of a security group there
    """
    wanted: dict[RuleKey, dict[str, object]] = {}
    for rule in rows(group, "security_group_rules"):
        body: dict[str, object] = {field: rule[field] for field in _FIELDS if rule.get(field) is not None}
        body["description"] = mark(text(rule, "id"))
        remote_id = remote_of(rule)
        if remote_id and remote_id not in remotes:
            continue  # gone meanwhile; the change has a job of its own
        for named in _named(remotes[remote_id], text(rule, "ethertype")) if remote_id else ({},):
            made = {**body, **named}
            wanted[rule_key(made, remote_of(made))] = made
    return wanted


def _named(remote: Remote | str, ethertype: str) -> list[dict[str, str]]:
    """What each rule of the pod says in place of the one remote."""
    if isinstance(remote, str):
        return [{"remote_group_id": remote}]
    if remote.address_group_id:
        return [{"remote_address_group_id": remote.address_group_id}]
    return [{"remote_ip_prefix": address} for address in of_ethertype(remote.addresses or (), ethertype)]


def remote_groups(group: Body) -> set[str]:
    """The central ids of all groups, of either sort, that the group's rules name."""
    return {remote_of(rule) for rule in rows(group, "security_group_rules")} - {""}


def has_rules(group: Body, remotes: Mapping[str, Remote | str], present: Body) -> bool:
    """Whether the copy has exactly the rules that it should have, each once."""
    there = [rule_key(rule, remote_of(rule)) for rule in rows(present, "security_group_rules")]
    return len(there) == len(set(there)) and set(there) == wanted_rules(group, remotes).keys()


def twins(present: Body) -> dict[RuleKey, list[str]]:
    """Ids of rules that say the same, by what they say; empty when each says something else.

    Neutron looks for duplicates before it writes: of two callers at one instant both get their rule.
    """
    found: dict[RuleKey, list[str]] = {}
    for rule in rows(present, "security_group_rules"):
        found.setdefault(rule_key(rule, remote_of(rule)), []).append(text(rule, "id"))
    return {key: ids for key, ids in found.items() if len(ids) > 1}
