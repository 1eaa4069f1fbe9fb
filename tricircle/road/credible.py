# SPDX-License-Identifier: Apache-2.0
"""Is this what a service of a pod says, or what something broken says in its place? Pure; see
``docs/decisions/0024-sick-pods.md``.
"""

from collections.abc import Mapping
from typing import NoReturn

from tricircle.context import ProjectId
from tricircle.errors import (
    SERVICE_AWAY,
    AddressTooLongError,
    BadUpstreamAnswerError,
    BodyTooLargeError,
    OutcomeUnknownError,
    UnavailableError,
)
from tricircle.upstream.head import SAFE
from tricircle.upstream.refusal import is_services_own
from tricircle.upstream.reply import Reply

_GARBLED = "A service behind this API sent an answer that cannot be read. Please try again later."
_UNKNOWN = "A service behind this API did not answer; the request may or may not have been carried out."
_BUSY = "A service behind this API is too busy. Please try again later."
_TOO_LONG = "The address of the request is longer than the service takes."
_TOO_LARGE = "The body of the request is larger than the service takes."
#: Where services say whose a thing is.
_OWNERS = (
    "tenant_id",
    "project_id",
    "os-vol-tenant-attr:tenant_id",
    "os-extended-snapshot-attributes:project_id",
    "os-backup-project-attr:project_id",
)
#: A pod that asks for more patience than this gets this much; seconds.
_LONGEST_PAUSE_S = 60
_NOTHING = 204
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))


def believed(reply: Reply, method: str) -> Reply:
    """The reply, if a service of a pod may have said it.

    Its success is JSON, it does not send callers elsewhere, and its failures are in its own form.

    :raises UnavailableError: it is no answer, and nothing was done, or may be done again
    :raises BodyTooLargeError, AddressTooLongError: something before the service takes no body, or path and query, of
        this size
    :raises OutcomeUnknownError: it is no answer to a call that may have been carried out
    """
    status = reply.status
    if status == 429:
        raise UnavailableError(_BUSY, retry_after_s=_pause_s(reply))
    if status < 300:
        if not _is_whole(reply, method):
            unreadable(method)
    elif status < 400:
        # Their services redirect nobody below a version, and what is elsewhere is nobody's business here.
        unreadable(method)
    elif status < 500:
        if not is_services_own(reply, method):
            _refused_before(reply, method)
    elif not _is_object(reply):
        if status == 503:
            raise UnavailableError(SERVICE_AWAY, retry_after_s=_pause_s(reply))
        unreadable(method)
    return reply


def _refused_before(reply: Reply, method: str) -> NoReturn:
    """What it means that something before a service refuses: nothing was done, and nothing is known."""
    if reply.status == 413 and method in _WITH_BODY:
        raise BodyTooLargeError(_TOO_LARGE)
    if reply.status == 414:
        raise AddressTooLongError(_TOO_LONG)
    raise UnavailableError(SERVICE_AWAY, retry_after_s=_pause_s(reply))


def unreadable(method: str) -> NoReturn:
    """What it means that no answer to a call can be read. :raises UnavailableError, OutcomeUnknownError: as above"""
    if method in SAFE:
        raise UnavailableError(_GARBLED)
    raise OutcomeUnknownError(_UNKNOWN)


def checked_page(
    items: object, *, id_key: str | None, marker: str | None, project_id: ProjectId | None
) -> list[dict[str, object]]:
    """The items of one page, if an honest service can have sent it.

    :param id_key: JSON key of an item's id; None where items need none
    :param marker: behind what was asked for; it is never in the page
    :param project_id: whose items they must be, where an item says whose it is; None: anybody's
    :raises BadUpstreamAnswerError: no service sends this
    """
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadUpstreamAnswerError("not a list of objects")
    if id_key is not None:
        ids = [item.get(id_key) for item in items]
        if not all((isinstance(one, str) and one) or isinstance(one, int) for one in ids):
            raise BadUpstreamAnswerError("an item without an id")
        if len(set(ids)) < len(ids):
            raise BadUpstreamAnswerError("an item twice in a page")
        if marker is not None and marker in ids:
            raise BadUpstreamAnswerError("the marker in the page behind it")
    if project_id is not None and any(_is_foreign(item, project_id) for item in items):
        raise BadUpstreamAnswerError("an item of another project")
    return items


def _is_foreign(item: Mapping[str, object], project_id: ProjectId) -> bool:
    return any(isinstance(owner := item.get(key), str) and owner != project_id for key in _OWNERS)


def _is_object(reply: Reply) -> bool:
    """Whether the body looks like a JSON object. Whether it is one is seen by who reads it."""
    body = reply.body
    if not isinstance(body, bytes) or b"json" not in (reply.header(b"content-type") or b""):
        return False
    text = body.strip()
    return text[:1] == b"{" and text[-1:] == b"}"


def _is_whole(reply: Reply, method: str) -> bool:
    """Whether a success is readable. What was made is read at once: later it could be too late to say 504."""
    if not reply.body:
        # To look whether something is there, Nova answers without a body: tags of servers.
        return method != "GET" or reply.status == _NOTHING
    # Cinder calls a volume's metadata text/html, from the version on in which it has an ETag.
    is_marked = method == "GET" and bool(reply.header(b"etag"))
    if method not in SAFE or is_marked:
        try:
            reply.json()
        except BadUpstreamAnswerError:
            return False
    return _is_object(reply) or is_marked


def _pause_s(reply: Reply) -> int:
    text = reply.header(b"retry-after") or b""
    return min(max(int(text), 1), _LONGEST_PAUSE_S) if text.isdigit() and len(text) < 10 else 10
