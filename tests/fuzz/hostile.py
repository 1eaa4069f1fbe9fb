# SPDX-License-Identifier: Apache-2.0
"""Which requests are bad before anybody looks at what they ask for? Paths, verbs, forms, headers, queries. Pure.

``{P}`` stands for a door's prefix, ``{V}`` for prefix and version; paths that climb carry a tag, so that they can be
recognised wherever they arrive.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from hypothesis import strategies as st

from tests.fuzz.generated import generated
from tests.fuzz.hostile_words import HEADERS, METHODS, ODD, QUERIES, TYPES, UP, broken

TAG = "fuzztag"
#: Of each door: a collection, one thing in it, and the outer key of a body that makes one.
PLACES = {
    "compute": ("/servers", "/servers/@server", "server"),
    "block-storage": ("/volumes", "/volumes/@volume", "volume"),
    "image": ("/images", "/images/@own-image", "name"),
    "network": ("/networks", "/networks/@network", "network"),
    "identity": ("/projects", "/projects/@project", "project"),
    "admin": ("/pods", "/pods/@nobody", "pod"),
}
_ELSEWHERE = (
    "/identity/v3/users",
    "/volume/v3/volumes",
    "/compute/v2.1/servers",
    "/v2.1/servers",
    "/healthz",
    "/metrics",
    "/v1.0/pods",
    "/etc/passwd",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """One hostile request. ``target`` as it goes out, names and ``{P}``/``{V}`` still in it; a header that is None is
    left out."""

    how: str
    method: str
    target: str
    body: bytes = b""
    headers: tuple[tuple[str, str | None], ...] = ()

    @property
    def name(self) -> str:
        """For reports."""
        return f"{self.method} {self.target[:120]}"


def hostile(door: str, count: int, seed_number: int) -> list[Hostile]:
    """``count`` hostile requests, each way in its share; the same ones for one seed."""
    order = random.Random(seed_number)
    ways = [list(way(door)) for way in (_paths, _slashes, _verbs, _queries, _forms, _bodies, _headed)]
    ways.append(_drawn(door, max(count // 4, 1), seed_number))
    for cases in ways:
        order.shuffle(cases)
    found: list[Hostile] = []
    depth = 0
    while len(found) < count and any(len(cases) > depth for cases in ways):
        found += [cases[depth] for cases in ways if len(cases) > depth]
        depth += 1
    return found[:count]


def _spoken(door: str) -> Iterator[tuple[str, bytes, str, str]]:
    """Verbs with a body, a collection, and one thing in it that may go by what is sent."""
    many, mine, _ = PLACES[door]
    for method in ("GET", "POST", "DELETE"):
        # Some of these are no more than unusual: nothing that is needed shall go by them.
        yield method, b"{}" if method == "POST" else b"", many, f"{many}/@nobody" if method == "DELETE" else mine


def _paths(door: str) -> Iterator[Hostile]:
    for method, body, many, one in _spoken(door):
        for up in UP:
            for elsewhere in _ELSEWHERE:
                for root in (f"{{V}}/{up}/{up}", f"{{V}}{many}/{up}/{up}/{up}", f"{{P}}/{up}"):
                    target = f"{root}{elsewhere}/{TAG}"
                    yield Hostile(how=f"climbs by {up}", method=method, target=target, body=body)
        for odd in ODD:
            roots = (
                f"{{V}}{many}/{odd}",
                f"{{V}}{one}/{odd}",
                f"{{V}}{many}{odd}",
                f"{{V}}/{odd}{many}",
                f"{{P}}/{odd}{many}",
            )
            for target in (*roots, f"{{V}}{one}{odd}/{TAG}"):
                yield Hostile(how=f"odd segment {odd[:16]}", method=method, target=target, body=body)


def _slashes(door: str) -> Iterator[Hostile]:
    for method, body, many, one in _spoken(door):
        under = (many, f"/{many}", f"{many}//", f"/{one}//", f"{many}/", f"/@other-project{many}", f"/@project{many}")
        more = (f"/@project/@project{many}", f"{many}#{TAG}", f"{many}%3f{TAG}", f"%2f{many[1:]}", "", "/", "//")
        beside = ("", "/", f"///{TAG}", f"/v9{many}", f"/V2.1{many}", "/v2.1", "/v3", "/v2")
        whole = (f"//{{V}}{many}", f"http://evil.example{{V}}{many}", quote(f"{{V}}{many}", safe="{}"), "*", "x")
        for target in (*(f"{{V}}{end}" for end in (*under, *more)), *(f"{{P}}{end}" for end in beside), *whole):
            yield Hostile(how="slashes and versions", method=method, target=target, body=body)


def _verbs(door: str) -> Iterator[Hostile]:
    many, one, _ = PLACES[door]
    for method in METHODS:
        for path in (
            many,
            one,
            f"{many}/detail",
            f"{one}/action",
            f"{one}/nothing/{TAG}",
            "/",
            "",
            "/limits",
            "/nothing",
        ):
            for body in (b"", b"{}", b"[]"):
                if method != "DELETE" or path != one or door == "admin":
                    yield Hostile(how=f"verb {method}", method=method, target=f"{{V}}{path}", body=body)


def _queries(door: str) -> Iterator[Hostile]:
    many, one, _ = PLACES[door]
    for query in QUERIES:
        for path in (many, f"{many}/detail", one, "/limits"):
            for method in ("GET", "HEAD"):
                yield Hostile(how="query", method=method, target=f"{{V}}{path}?{query}")


def _written(door: str) -> tuple[tuple[str, str], ...]:
    many, one, _ = PLACES[door]
    return ("POST", many), ("PUT", one), ("POST", f"{one}/action"), ("PATCH", one), ("POST", f"{one}/metadata")


def _forms(door: str) -> Iterator[Hostile]:
    good = json.dumps({PLACES[door][2]: {}}).encode()
    for kind in TYPES:
        for method, path in (*_written(door), ("GET", PLACES[door][0])):
            for body in (b"", good, b"<x/>", b"a=b"):
                how = f"content type {str(kind)[:24]}"
                form = (("Content-Type", kind),)
                yield Hostile(how=how, method=method, target=f"{{V}}{path}", body=body, headers=form)


def _bodies(door: str) -> Iterator[Hostile]:
    for method, path in _written(door):
        for how, body in broken(PLACES[door][2]):
            yield Hostile(how=f"body {how}", method=method, target=f"{{V}}{path}", body=body)


def _headed(door: str) -> Iterator[Hostile]:
    many, one, key = PLACES[door]
    body = json.dumps({key: {}}).encode()
    for headers in HEADERS:
        for method, path, data in (("GET", many, b""), ("GET", one, b""), ("POST", many, body), ("PUT", one, body)):
            how = f"header {headers[0][0]} {headers[0][1][:16]}"
            yield Hostile(how=how, method=method, target=f"{{V}}{path}", body=data, headers=headers)


_ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters=" \r\n\t\x00#?"), min_size=1, max_size=12)
_KNOWN = ("servers", "volumes", "@server", "@volume", "@nobody", "action", "v3", "v2.1", TAG)
_PIECE = st.sampled_from((*UP, *ODD[:48], *_KNOWN)) | _ANY_TEXT.map(lambda text: quote(text, safe="%&=;+$,!*'()~"))


def _drawn(door: str, count: int, seed_number: int) -> list[Hostile]:
    """Paths that hypothesis puts together."""
    many = PLACES[door][0]
    parts = st.tuples(
        st.sampled_from(("{V}", "{P}", f"{{V}}{many}")),
        st.lists(_PIECE, min_size=1, max_size=6),
        st.sampled_from(("GET", "POST", "PUT", "DELETE")),
        st.sampled_from(("", f"?{TAG}", "?limit=%", "?a=b&a=c")),
    )
    found: list[Hostile] = []
    for root, pieces, method, query in generated(parts, count, seed_number):
        target = root + "/" + "/".join(pieces) + query
        # What would really end something is none of this table's business.
        if method != "DELETE" or "@" not in target:
            body = b"{}" if method[0] == "P" else b""
            found.append(Hostile(how="drawn path", method=method, target=target, body=body))
    return found
