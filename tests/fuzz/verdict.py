# SPDX-License-Identifier: Apache-2.0
"""Is an answer of ours as good as the service's own, and did nobody see or reach what he must not? Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.e2e.recorder import Exchange, find_leaks
from tests.fuzz.relays import Asked
from tests.fuzz.wire import NO_ANSWER, Heard, Sent

READING = frozenset({"GET", "HEAD", "OPTIONS"})
_UPSTREAM_ID = "x-openstack-upstream-request-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be.

    :ivar kind: ``class``, ``status``, ``form``, ``500``, ``canary``, ``wrong pod``, ``escape``
    :ivar call: the good call that was spoiled, or the hostile way
    """

    kind: str
    door: str
    call: str
    how: str
    request: str
    ours: str
    theirs: str

    def line(self) -> str:
        """For people."""
        return f"{self.kind:9} {self.call} | {self.how} | ours {self.ours} | theirs {self.theirs}"


def said(heard: Heard | None) -> str:
    """Status and the beginning of a text."""
    if heard is None:
        return "-"
    return f"{heard.status} {heard.body[:260].decode('utf-8', 'replace')}"


def differs(ours: Heard, theirs: Heard) -> str | None:
    """In what two answers to one request differ; None when they are as good as equal."""
    if ours.status // 100 != theirs.status // 100:
        return "class"
    if ours.status != theirs.status:
        return "status"
    if ours.status >= 400 and form(ours) != form(theirs):
        return "form"
    return None


def form(heard: Heard) -> tuple[str, ...]:
    """The form of an error: sort of text, outer keys, inner keys."""
    kind = (heard.header("content-type") or "").partition(";")[0].lower() if heard.body else ""
    body = heard.json()
    if not isinstance(body, dict):
        return (kind,)
    inner = next(iter(body.values()), None)
    return (kind, *sorted(body), *(sorted(inner) if isinstance(inner, dict) else ()))


def who_answered(heard: Heard, asked: Sequence[Asked]) -> str:
    """``us``, ``centre`` or ``pod``; ``nobody`` when there is no answer."""
    if heard.status == NO_ANSWER:
        return "nobody"
    behind = heard.header(_UPSTREAM_ID)
    for one in asked:
        if behind and one.answer_id == behind:
            return "centre" if one.place == "RegionOne" else "pod"
    # Keystone names no request.
    if (
        behind is None
        and any(one.service == "keystone" for one in asked)
        and "identity" not in (heard.header("x") or "")
    ):
        return "centre" if all(one.service == "keystone" for one in asked) else "us"
    return "us"


def is_routed(heard: Heard, who: str) -> bool:
    """Whether a row of the door was found: else we say ourselves that there is no such path, or not with this verb."""
    return who != "us" or heard.status not in (404, 405) or b"itemNotFound" in heard.body


def leaks(sent: Sent, heard: Heard, words: Iterable[str]) -> list[str]:
    """Words of pods in an answer that the client did not say himself."""
    exchange = Exchange(
        method=sent.method.decode("latin-1"),
        url=sent.target.decode("latin-1"),
        status=heard.status,
        headers=heard.headers,
        body=heard.body,
        is_complete=True,
    )
    return [f"{leak.word} in {leak.where}: {leak.excerpt}" for leak in find_leaks(exchange, words)]


def wrongly_written(asked: Sequence[Asked], right: str) -> list[Asked]:
    """Calls that may change something in another pod than ``right``."""
    return [one for one in asked if one.place not in ("RegionOne", right) and one.method not in READING]


def escaped(asked: Sequence[Asked], service: str, tag: str) -> list[Asked]:
    """Calls with a client's tag in their path to another service than the door's."""
    return [one for one in asked if tag in one.path and one.service != service]
