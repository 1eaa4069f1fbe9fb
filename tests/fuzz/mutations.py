# SPDX-License-Identifier: Apache-2.0
"""How is a good request made bad? One thing at a time, everywhere in turn; or by what hypothesis draws. Pure."""

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from tests.fuzz.calls import Call
from tests.fuzz.generated import generated

Where = tuple[str | int, ...]
_ABSENT = object()
#: What may stand in place of anything in a body.
VALUES: tuple[Any, ...] = (
    None,
    "",
    " ",
    " padded ",
    0,
    -1,
    1.5,
    True,
    2**31,
    2**63,
    10**30,
    "0",
    "-1",
    "x" * 256,
    "x" * 70_000,
    "9" * 5000,
    "\u0663",
    "\u00b2",
    "\u00fcn\u00efc\u00f6d\u00e9 \u2603",
    "\U0001f600",
    "a\u0000b",
    "a\nb",
    "\u202e\u200b",
    "'; DROP TABLE instances; --",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "%00%2e%2e%2f",
    "${jndi:ldap://x/y}",
    "{{7*7}}",
    [],
    {},
    [[]],
    [{}],
    ["a", "a"],
    {"a": {"b": {}}},
    {"id": "x"},
    list(range(300)),
)
#: What may stand in place of an id.
IDS = (
    "@nobody",
    "@other-project",
    "@foreign-server",
    "@foreign-volume",
    "@foreign-network",
    "@deleted-server",
    "@deleted-volume",
    "@server",
    "@volume",
    "@network",
    "@image",
    "@project",
    "nobodys",
    "-1",
    "0",
    "x" * 255,
    "x" * 1000,
    "None",
    "detail",
    "\u2603",
    "\U0001f600",
    "a b",
    "a'--",
    "%",
    "*",
    "00000000-0000-0000-0000-00000000000g",
)
#: Of these, what all others name too.
_LIVING = frozenset({"@server", "@volume", "@network", "@image", "@project", "@foreign-server", "@foreign-volume"})
#: What may stand in place of a query's value.
QUERIES = (
    "",
    "0",
    "-1",
    "1.5",
    "x",
    "10" * 20,
    "@nobody",
    "\u2603",
    "\U0001f600",
    "a'--",
    "%",
    "a,b",
    "asc",
    "None",
    "true",
    "x" * 300,
)
_VERSIONS = {
    "compute": (
        "2.0",
        "2.1",
        "2.10",
        "2.26",
        "2.35",
        "2.36",
        "2.53",
        "2.60",
        "2.75",
        "2.90",
        "2.95",
        "latest",
        "2.999",
        "3.1",
    ),
    "volume": ("3.0", "3.3", "3.12", "3.27", "3.44", "3.47", "3.55", "3.60", "3.66", "3.70", "latest", "3.999", "2.0"),
}
_BAD_VERSIONS = (
    "",
    " ",
    "abc",
    "1",
    "1.",
    ".1",
    "1.2.3",
    "-1.0",
    "2.01",
    "2.x",
    "\u0662.\u0661",
    "2.1;",
    "2.1, compute 2.2",
    "9" * 40,
    "2." + "9" * 5000,
)
_VERSIONED = {"compute": "compute", "block-storage": "volume"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One bad request: a call, in which way it is bad, and what replaces the call's own parts.

    :ivar header: value of ``OpenStack-API-Version``; None sends none
    """

    call: Call
    how: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: Any
    header: str | None
    raw: str | None = None

    def target(self) -> str:
        """Path and query as they are sent, names still in them."""
        path = quote(self.path, safe="/@")
        return f"{path}?{urlencode(self.query, safe='@')}" if self.query else path

    def data(self) -> str:
        """The body as it is sent, names still in it."""
        if self.raw is not None:
            return self.raw
        return "" if self.body is None else json.dumps(self.body)


def plain(call: Call, service: str) -> Case:
    """The call as it is: good."""
    header = None if call.version is None else f"{_VERSIONED[service]} {call.version}"
    return Case(call=call, how="good", path=call.path, query=call.query, body=call.body, header=header)


def mutations(call: Call, service: str) -> Iterator[Case]:
    """All that is wrong in one place."""
    good = plain(call, service)
    yield good
    yield from _ids(good)
    yield from _queries(good)
    yield from _versions(good, service)
    if call.body is not None:
        yield from _bodies(good)


def drawn(calls: list[Call], service: str, count: int, seed_number: int) -> list[Case]:
    """Cases in which hypothesis chooses places and values, several at once; always the same ones for one seed."""
    with_body = [call for call in calls if call.body is not None]
    return generated(_case(with_body, service), count, seed_number)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def _case(draw: st.DrawFn, calls: list[Call], service: str) -> Case:
    call = draw(st.sampled_from(calls))
    body = copy.deepcopy(call.body)
    for _ in range(draw(st.integers(1, 3))):
        where = draw(st.sampled_from(sorted(_places(body), key=str) or [()]))
        body = _with(body, where, draw(_JSON))
    good = plain(call, service)
    return replace(good, how="drawn", body=body)


def _ids(good: Case) -> Iterator[Case]:
    segments = good.path.split("/")
    for index, segment in enumerate(segments):
        if not segment.startswith("@") and not segment.startswith("nobodys") and not segment.isdigit():
            continue
        for other in IDS:
            if _ends(good.call) and other in _LIVING:
                continue
            changed = "/".join([*segments[:index], other, *segments[index + 1 :]])
            yield replace(good, how=f"id {other[:24]}", path=changed)
        if segment.startswith("@"):
            for how, form in (("upper case", f"{segment}!upper"), ("no dashes", f"{segment}!plain")):
                changed = "/".join([*segments[:index], form, *segments[index + 1 :]])
                yield replace(good, how=f"id {how}", path=changed)


def _ends(call: Call) -> bool:
    """Whether what it names is gone afterwards: then everything that follows would be about nothing."""
    return call.method == "DELETE" or (isinstance(call.body, dict) and "forceDelete" in call.body)


def _queries(good: Case) -> Iterator[Case]:
    for index, (key, value) in enumerate(good.query):
        for other in QUERIES:
            changed = (*good.query[:index], (key, other), *good.query[index + 1 :])
            yield replace(good, how=f"query {key}", query=changed)
        yield replace(good, how=f"query {key} alone", query=((key, value),))
        yield replace(good, how=f"query {key} twice", query=(*good.query, (key, value)))
        yield replace(good, how=f"query {key} twice, the other empty", query=(*good.query, (key, "")))
    if good.call.method == "GET":
        strange = (("colour", "red"), ("limit", "x"), ("marker", "@nobody"), ("all_tenants", "1"), ("all_tenants", "x"))
        for key, value in (
            *strange,
            ("project_id", "@other-project"),
            ("sort_key", "nobodys"),
            ("", "x"),
            ("fields", "\u2603"),
        ):
            yield replace(good, how=f"query with {key}", query=(*good.query, (key, value)))
            yield replace(good, how=f"query only {key}", query=((key, value),))


def _versions(good: Case, service: str) -> Iterator[Case]:
    name = _VERSIONED.get(service)
    if name is None:
        return
    for version in (*_VERSIONS[name], *_BAD_VERSIONS):
        yield replace(good, how=f"version {version[:20]}", header=f"{name} {version}")
    yield replace(good, how="no version", header=None)
    yield replace(good, how="version of another service", header="baremetal 1.1")


def _bodies(good: Case) -> Iterator[Case]:
    for where in _places(good.body):
        name = ".".join(map(str, where))
        for value in VALUES:
            yield replace(good, how=f"{name} = {str(value)[:24]!r}", body=_with(good.body, where, value))
        yield replace(good, how=f"{name} left out", body=_with(good.body, where, _ABSENT))
        old = _at(good.body, where)
        if isinstance(old, str) and old.startswith("@"):
            for other in IDS:
                yield replace(good, how=f"{name} = id {other[:24]}", body=_with(good.body, where, other))
        if isinstance(old, dict):
            yield replace(good, how=f"{name} with another key", body=_with(good.body, where, {**old, "colour": "red"}))
            yield replace(good, how=f"{name} with an empty key", body=_with(good.body, where, {**old, "": None}))
            if old:
                upper = {key.upper(): value for key, value in old.items()}
                yield replace(good, how=f"{name} in upper case", body=_with(good.body, where, upper))
        else:
            yield replace(good, how=f"{name} in a list", body=_with(good.body, where, [old]))
    if isinstance(good.body, dict):
        yield replace(good, how="another key", body={**good.body, "colour": "red"})
        text = json.dumps(good.body)
        yield replace(good, how="every key twice", raw="{" + text[1:-1] + ", " + text[1:-1] + "}")
        yield replace(good, how="no body", body=None)
        yield replace(good, how="the inner object alone", body=next(iter(good.body.values())))
    for whole in ([], {}, None, "x", 1, True, [good.body]):
        yield replace(good, how=f"body {str(whole)[:10]!r}", raw=json.dumps(whole))
    yield replace(good, how="a half of a pair", raw=json.dumps(good.body).replace('"', '"\\ud800', 1))


def _places(body: Any, where: Where = ()) -> Iterator[Where]:
    """All places in a body but its root."""
    members: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(body, dict):
        members = iter(body.items())
    elif isinstance(body, list):
        members = iter(list(enumerate(body))[:2])
    for key, value in members:
        yield (*where, key)
        yield from _places(value, (*where, key))


def _at(body: Any, where: Where) -> Any:
    for key in where:
        body = body[key]
    return body


def _with(body: Any, where: Where, value: Any) -> Any:
    """A copy with something else in one place."""
    if not where:
        return value
    made = copy.deepcopy(body)
    inner = _at(made, where[:-1])
    if value is _ABSENT:
        del inner[where[-1]]
    else:
        inner[where[-1]] = value
    return made


def spread(calls: list[Call], service: str, count: int, seed_number: int) -> list[Case]:
    """``count`` cases: of each call the good one, then of all calls in turn, then what hypothesis draws.

    When there are too few for that, good ones are left out.
    """
    is_sample = count < 3 * len(calls)
    order = random.Random(seed_number)
    by_call = []
    for call in calls:
        good, *bad = mutations(call, service)
        order.shuffle(bad)
        by_call.append(bad if is_sample else [good, *bad])
    order.shuffle(by_call)
    by_hand = count - count // 6
    found: list[Case] = []
    depth = 0
    while len(found) < by_hand and any(len(cases) > depth for cases in by_call):
        found += [cases[depth] for cases in by_call if len(cases) > depth]
        depth += 1
    more = drawn(calls, service, count - min(len(found), by_hand), seed_number)
    return [*found[:by_hand], *more]
