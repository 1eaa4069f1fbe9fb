# SPDX-License-Identifier: Apache-2.0
"""Of which groups is a port a member, under which addresses? Pure: dictionaries as Neutron's hooks show them, no I/O.

The same addresses as ``tricircle/copies/address_groups.py`` gives to pods.
"""

import ipaddress
from collections.abc import Iterable, Mapping

Body = Mapping[str, object]
#: A group's id and one address.
Membership = tuple[str, str]


def port(body: Body) -> frozenset[Membership]:
    """The memberships of a port: each of its groups with each address that it has or may use.

    >>> sorted(port({"security_groups": ["g"], "fixed_ips": [{"ip_address": "10.0.0.5"}],
    ...              "allowed_address_pairs": [{"ip_address": "10.0.0.9"}, {"ip_address": "10.1.0.0/16"}]}))
    [('g', '10.0.0.5'), ('g', '10.0.0.9')]
    """
    value = body.get("security_groups")
    groups = [str(one) for one in value] if isinstance(value, list | tuple | set | frozenset) else []
    return frozenset((group, address) for group in groups for address in _addresses(body))


def _addresses(body: Body) -> Iterable[str]:
    for field in ("fixed_ips", "allowed_address_pairs"):
        value = body.get(field)
        for row in value if isinstance(value, list) else []:
            if address := single(str(row.get("ip_address") or "")):
                yield address


def single(written: str) -> str | None:
    """The address that ``written`` is, or the only one in it; None for more than one.

    A prefix that a member may use is not the group's: any port could have an address in it.

    >>> single("10.0.0.5/32"), single("10.0.0.0/24"), single("FD00::1")
    ('10.0.0.5', None, 'fd00::1')
    """
    try:
        found = ipaddress.ip_network(written, strict=False)
    except ValueError:
        return None
    return str(found.network_address) if found.num_addresses == 1 else None
