# SPDX-License-Identifier: Apache-2.0
"""Which headers cross us, in which direction? Pure.

Both ways only what is known passes: towards an upstream nothing that a client could claim an identity with, towards
the client nothing that tells where an answer comes from. Names are in lower case.
"""

import re
from collections.abc import Iterable

from tricircle.http.message import Headers

REQUEST_ID = b"x-openstack-request-id"
#: Under which name the request id of whoever answered behind us goes to the client.
UPSTREAM_REQUEST_ID = b"x-openstack-upstream-request-id"

_TO_UPSTREAM = frozenset(
    (
        b"accept",
        b"accept-language",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"openstack-api-version",
        b"range",
        b"user-agent",
        b"x-image-cache-clear-target",
        b"x-image-meta-store",
        b"x-openstack-append",
        b"x-openstack-image-size",
        b"x-openstack-nova-api-version",
    )
)
#: Only Keystone is sent these: they hold credentials, or the token that a request is about.
_TO_IDENTITY = frozenset((b"authorization", b"x-auth-token", b"x-subject-token", b"openstack-auth-receipt"))

_TO_CLIENT = frozenset(
    (
        b"accept-ranges",
        b"allow",
        b"cache-control",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-length",
        b"content-md5",
        b"content-range",
        b"content-type",
        b"etag",
        b"expires",
        b"last-modified",
        b"link",
        b"location",
        b"openstack-api-version",
        b"openstack-image-import-methods",
        b"openstack-image-size",
        b"retry-after",
        b"vary",
        b"x-compute-request-id",
        b"x-image-meta-size",
        b"x-openstack-image-size",
        b"x-openstack-nova-api-version",
    )
)
#: Only Keystone hands out these.
_FROM_IDENTITY = frozenset((b"openstack-auth-receipt", b"x-subject-token"))
#: What an upstream may call its request; anything else could name its host.
_REQUEST_ID = re.compile(rb"req-[0-9A-Fa-f-]{1,64}")


def to_upstream(headers: Iterable[tuple[bytes, bytes]], *, token: str | None, request_id: str) -> Headers:
    """The headers of a forwarded request.

    Answers are asked for unpacked, because links in them are replaced by their bytes.

    :param token: the caller's own token, the only identity that goes along; None sends none
    :param request_id: the global id, to be found in the upstream's log
    """
    found = [pair for pair in headers if pair[0] in _TO_UPSTREAM]
    found.append((b"accept-encoding", b"identity"))
    found.append((REQUEST_ID, request_id.encode()))
    if token is not None:
        found.append((b"x-auth-token", token.encode("latin-1")))
    return found


def to_identity(headers: Iterable[tuple[bytes, bytes]], *, request_id: str) -> Headers:
    """The headers of a request that goes through to Keystone, which judges credentials and tokens itself."""
    known = list(headers)
    return [
        *to_upstream(known, token=None, request_id=request_id),
        *(pair for pair in known if pair[0] in _TO_IDENTITY),
    ]


def to_client(headers: Iterable[tuple[bytes, bytes]], *, is_identity: bool = False) -> Headers:
    """The headers of an upstream's answer that a client may see; the upstream's request id gets its own name.

    :param is_identity: the answer is Keystone's, which alone hands out tokens

    >>> to_client([(b"server", b"pod1-api-3"), (b"x-openstack-request-id", b"req-1")])
    [(b'x-openstack-upstream-request-id', b'req-1')]
    """
    found: Headers = []
    for pair in headers:
        name = pair[0]
        if name in _TO_CLIENT or (is_identity and name in _FROM_IDENTITY):
            found.append(pair)
        elif name == REQUEST_ID and _REQUEST_ID.fullmatch(pair[1]):
            found.append((UPSTREAM_REQUEST_ID, pair[1]))
    return found
