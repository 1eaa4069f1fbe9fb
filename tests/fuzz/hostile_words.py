# SPDX-License-Identifier: Apache-2.0
"""What is odd in a path, a query, a header or a body? Words for ``hostile.py``."""

import json
from collections.abc import Iterator

# fmt: off
#: How to spell going up.
UP = [
    "..", "%2e%2e", "%2E.", "..%2f", "..%5c", "..\\", "%252e%252e", "%25252e%25252e", "%c0%ae%c0%ae", "..;",
    "..;x=y", ".%00.", "%uff0e%uff0e", "%e3%80%82%e3%80%82", "....//", ".", "%2e", ".;",
]
#: Segments that nobody needs.
ODD = (
    *[
        "%00", "%0d%0aX-Evil:%20y", "%0a", "%09", "%20", "%7f", "%ff%fe", "%c3%28", "%ed%a0%80", "%f0%9f%98%80",
        "%e2%80%ae", "%", "%z", "%zz", "%2", "%2f", "%2F%2F", "%5c", "%3f", "%23", "%3b", ";", ";a=b", "'", '"',
        "<x>", "|", "^", "`", "{}", "*", "~root", "$(id)", "%24%7bjndi%3aldap%3a%2f%2fx%7d", "@", ":", "a:b@c",
        "http:", "http://evil", "%68%74%74%70://e", "con", "-", "_", "+", "%2b", "é", "detail", "None", "null", "0",
    ],
    "a" * 300,
    "a" * 9000,
    "a/" * 200,
    "%41" * 500,
)
METHODS = [
    "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "FOO", "get", "QUERY", "LINK",
]
QUERIES = (
    *[
        "limit=1&limit=2", "limit=1&limit=x", "limit=&limit=", "limit", "=", "==", "&", "&&&", "a&b", "=x", "%",
        "%zz", "%ff=%ff", "%00=1", "limit=%00", "limit=1%00", "limit=-1", "limit=1e3", "limit=0x10", "limit=%D9%A1",
        "limit=1;marker=2", "[]=1", "a[b]=c", "marker=%2e%2e%2f", "marker=../..", "sort_key=__class__",
        "sort_key=id;drop", "sort_dir=sideways", "fields=%00", "name=%F0%9F%98%80", "name=%ED%A0%80", "name=%",
        "all_tenants=1&all_tenants=0", "project_id=@other-project", "tenant_id=@other-project",
        "changes-since=never", "changes-since=2026-13-45", "created_at=%00", "ip=[", "name=(((", "host=x",
        "deleted=true", "#x", "?", "??a=b", "limit=1?marker=x", "utf8=%E2%9C%93", "sort=created_at:asc:desc",
        "sort=,,,", "with_count=maybe", "offset=-1", "offset=x",
    ],
    "name=" + "a" * 8000,
    "&".join(f"k{number}=v" for number in range(900)),
)
# fmt: on
TYPES = (
    None,
    "",
    "text/plain",
    "application/xml",
    "application/json; charset=utf-16",
    "application/json;",
    "multipart/form-data",
    "application/x-www-form-urlencoded",
    "application/json, text/html",
    "a" * 500,
    "application/openstack-images-v2.1-json-patch",
    "APPLICATION/JSON",
    "application/octet-stream",
    "\u00e9/\u00e9",
)
HEADERS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("X-Forwarded-Prefix", "/evil"),),
    (("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "gopher")),
    (("Forwarded", "for=1;host=evil.example"),),
    (("X-HTTP-Method-Override", "DELETE"),),
    (("X-Original-URL", "/identity/v3/users"), ("X-Rewrite-URL", "/v1.0/pods")),
    (("X-Identity-Status", "Confirmed"), ("X-Roles", "admin"), ("X-Project-Id", "x")),
    (("X-Service-Token", "x"),),
    (("X-OpenStack-Request-ID", "nonsense"),),
    (("X-OpenStack-Request-ID", "req-" + "x" * 4000),),
    (("X-Auth-Token", ""),),
    (("X-Auth-Token", "gAAAAA" + "x" * 200),),
    (("X-Auth-Token", "\u00fc\u2603"),),
    (("X-Auth-Token", "x" * 20_000),),
    (("Accept", "application/xml"),),
    (("Accept", ""),),
    (("Accept", "*/*;q=nonsense"),),
    (("Accept", "text/html"),),
    (("Accept", "application/vnd.openstack.images-v99"),),
    (("Accept-Language", "xx-\u00e9"),),
    (("Accept-Encoding", "gzip, br, nonsense"),),
    (("Range", "bytes=5-1"), ("If-Match", '"x"')),
    (("Range", "bytes=0-0,2-3,x"),),
    (("If-Modified-Since", "never"),),
    (("Cookie", "a=b;" * 500),),
    (("OpenStack-API-Version", "compute"), ("X-OpenStack-Nova-API-Version", "9.9")),
    (("OpenStack-API-Version", "compute 2.1\t"),),
    (("Expect", "nonsense"),),
    (("Content-Encoding", "gzip"),),
    (("Content-Encoding", "nonsense"),),
    (("X-Subject-Token", "\u2603"),),
    tuple((f"X-Many-{number}", "x") for number in range(60)),
)
#: ``KEY`` stands for the outer key of a good body.
_BROKEN = (
    b"{",
    b"}",
    b"[",
    b"{'a': 1}",
    b'{"a": }',
    b'{"a" 1}',
    b'{"a": 1,}',
    b'{"KEY": ',
    b'{"KEY": {}} x',
    b"\xff\xfe",
    b'\xef\xbb\xbf{"KEY": {}}',
    b'{"KEY": "\xff"}',
    b'{"KEY": "\xed\xa0\x80"}',
    b'{"KEY": "\x00"}',
    b'{"KEY": "\\u0000"}',
    b'{"KEY": "\\ud800"}',
    b'{"\\ud800": 1}',
    b'{"KEY": "a\nb"}',
    b"nul",
    b"NaN",
    b'{"KEY": NaN}',
    b'{"KEY": {"size": Infinity}}',
    b'{"KEY": -Infinity}',
    b'{"KEY": 1e400}',
    b'{"KEY": {"size": 1e999}}',
    b'{"KEY": 01}',
    b'{"KEY": +1}',
    b'{"KEY": .5}',
    b'{"KEY": 0x10}',
    b'{"KEY": //x\n1}',
    b"   ",
    b"\n",
    b'""',
    b"0",
    b"true",
    b"null",
    b"[]",
    b"[[]]",
    b"{}",
    b'{"": {}}',
    b'{"KEY": null}',
    b'{"KEY": {}, "KEY": {}}',
    b'{"KEY": {"name": "a", "name": 1}}',
)


def broken(key: str) -> Iterator[tuple[str, bytes]]:
    """Bodies that are no good JSON, or too much of it: how, and the bytes."""
    name = key.encode()
    for text in _BROKEN:
        yield text[:20].decode("latin-1"), text.replace(b"KEY", name)
    for coding in ("utf-16", "utf-32"):
        yield coding, json.dumps({"a": 1}).encode(coding)
    for depth in (50, 500, 5000, 40_000):
        yield f"{depth} deep in lists", b'{"%b": %b1%b}' % (name, b"[" * depth, b"]" * depth)
        yield f"{depth} deep, open", b"[" * depth
        yield f"{depth // 5} deep in objects", b'{"a":' * (depth // 5) + b"1" + b"}" * (depth // 5)
    yield "5000 digits", b'{"%b": {"size": %b}}' % (name, b"9" * 5000)
    yield "5000 digits below zero", b'{"%b": -%b}' % (name, b"9" * 5000)
    yield "5000 decimals", b'{"%b": {"size": 0.%b}}' % (name, b"1" * 5000)
    yield "5000 keys", json.dumps({key: {f"k{number}": number for number in range(5000)}}).encode()
    yield "a long string", json.dumps({key: {"name": "x" * 100_000}}).encode()
    yield "over the limit", json.dumps({key: {"name": "x" * 150_000}}).encode()
