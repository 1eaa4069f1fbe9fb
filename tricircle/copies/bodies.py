# SPDX-License-Identifier: Apache-2.0
"""How is Neutron's JSON read with types, and how is what we made in a pod recognised? Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence

from tricircle.errors import BadUpstreamAnswerError

Body = Mapping[str, object]

_MARK = "tricircle:"
#: What is kept of an error's body may end anywhere.
_REFUSED_AS = re.compile(r'"NeutronError": *\{[^{}]*?"type": *"(\w+)"')


def mark(central_id: str) -> str:
    """What the ``description`` of a copy says. Tenants can write descriptions: a mark alone proves nothing.

    >>> mark("4f")
    'tricircle:4f'
    """
    return _MARK + central_id


def marked(description: object) -> str | None:
    """The central id that a description names; None without a mark.

    >>> marked("tricircle:4f"), marked("my net"), marked(None)
    ('4f', None, None)
    """
    if isinstance(description, str) and description.startswith(_MARK) and len(description) > len(_MARK):
        return description.removeprefix(_MARK)
    return None


def member(answer: Body, key: str) -> dict[str, object]:
    """The object that an answer wraps. :raises BadUpstreamAnswerError: when there is none."""
    value = answer.get(key)
    if not isinstance(value, dict):
        raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
    return value


def rows(body: Body, key: str) -> list[dict[str, object]]:
    """The objects of a list; an absent list is empty."""
    value = body.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def words(body: Body, key: str) -> list[str]:
    """The strings of a list; an absent list is empty."""
    value = body.get(key)
    return [str(word) for word in value] if isinstance(value, list | tuple) else []


def text(body: Body, key: str) -> str:
    """A string; absent or null is empty."""
    value = body.get(key)
    return "" if value is None else str(value)


def subnet_ids(port: Body) -> set[str]:
    """The subnets that a port has addresses of."""
    return {text(fixed_ip, "subnet_id") for fixed_ip in rows(port, "fixed_ips")}


def refused_as(body: str) -> str:
    """What Neutron calls its refusal, from the body as it came; empty when the words are not Neutron's.

    >>> refused_as('{"NeutronError": {"type": "OverQuota", "message": "Quota ex'), refused_as("<h1>409</h1>")
    ('OverQuota', '')
    """
    found = _REFUSED_AS.search(body)
    return found[1] if found else ""


def revision(body: Body) -> str:
    """The revision number as routings keep it."""
    return text(body, "revision_number")


def changed(wanted: Body, present: Body, fields: Iterable[str]) -> dict[str, object]:
    """Those of ``fields`` that ``wanted`` names and ``present`` has otherwise, as a body for PUT.

    Lists count as sets: Neutron does not promise an order for any of them.

    >>> changed({"name": "b", "mtu": 1450}, {"name": "a", "mtu": 1450}, ("name", "mtu", "port"))
    {'name': 'b'}
    """
    return {
        field: wanted[field]
        for field in fields
        if field in wanted and _comparable(wanted[field]) != _comparable(present.get(field))
    }


def _comparable(value: object) -> object:
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), _comparable(item)) for key, item in value.items()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(sorted((_comparable(item) for item in value), key=repr))
    return value
