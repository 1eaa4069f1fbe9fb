# SPDX-License-Identifier: Apache-2.0
"""What does the fake Neutron do with address groups? As real ones: neither adding nor removing may be repeated."""

import ipaddress
from collections.abc import Iterable, Sequence

from tricircle.testing.exchange import Json, Refusal


def new_address_group(given: Json) -> Json:
    """A group with the addresses that a POST names."""
    group = {"name": "", "description": "", **given, "addresses": []}
    add_addresses(group, given.get("addresses") or [])
    return group


def add_addresses(group: Json, addresses: Sequence[str]) -> None:
    """``PUT .../add_addresses``: all or none."""
    added = _normal(addresses)
    if there := [one for one in added if one in group["addresses"]]:
        text = f"Addresses {', '.join(there)} already exist in the address group {group.get('id')}."
        raise Refusal(400, text, "AddressesAlreadyExist")
    group["addresses"] = [*group["addresses"], *added]


def remove_addresses(group: Json, addresses: Sequence[str]) -> None:
    """``PUT .../remove_addresses``: all or none."""
    removed = _normal(addresses)
    if missing := [one for one in removed if one not in group["addresses"]]:
        text = f"Addresses {', '.join(missing)} not found in the address group {group.get('id')}."
        raise Refusal(404, text, "AddressesNotFound")
    group["addresses"] = [one for one in group["addresses"] if one not in removed]


def _normal(addresses: Iterable[str]) -> list[str]:
    try:
        return list(dict.fromkeys(str(ipaddress.ip_network(one, strict=False)) for one in addresses))
    except ValueError as error:
        raise Refusal(400, f"Invalid input for addresses. Reason: {error}.") from error
