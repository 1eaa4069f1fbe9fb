# SPDX-License-Identifier: Apache-2.0
"""Every way in which a pod can be sick, and what a tenant shall see of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from tests.api.whole import Whole
from tricircle.testing import lies, wire
from tricircle.testing.ailments import Ailment, Lie, Symptom, Wire

ELSEWHERE = "https://canary.internal:8776/v3/volumes"


class Seen(StrEnum):
    """What a list shows of the sick pod."""

    NOTHING = "nothing"  # none of its things, and the mark
    PART = "part"  # perhaps some of its things, and the mark
    ALL = "all"  # all of its things, and no mark


@dataclass(frozen=True, kw_only=True)
class Case:
    """One illness.

    :ivar fall_ill: makes ``Pod2`` sick; all its services
    :ivar listed: what a list shows
    :ivar show: statuses that a GET of a thing in the pod may have
    :ivar change: statuses that a POST or DELETE may have
    :ivar is_known: whether the breaker knows after some calls, so that nobody waits any more
    """

    name: str
    fall_ill: Callable[[Whole], Awaitable[None]]
    listed: Seen = Seen.NOTHING
    show: frozenset[int] = frozenset((503,))
    change: frozenset[int] = frozenset((504,))
    is_known: bool = False


async def get_well(cloud: Whole) -> None:
    """Make ``Pod2`` well again, whatever it had."""
    cloud.pods["Pod2"].fall_ill(None)
    await cloud.ports["Pod2"].accept()


def _of(ailment: Ailment) -> Callable[[Whole], Awaitable[None]]:
    async def fall_ill(cloud: Whole) -> None:
        cloud.pods["Pod2"].fall_ill(ailment)

    return fall_ill


def _failing(status: int) -> Callable[[Whole], Awaitable[None]]:
    return _of(Ailment(symptom=Symptom.FAILING, status=status))


def _broken(what: Wire, *, delay_s: float = 0.0, is_carried_out: bool = True) -> Callable[[Whole], Awaitable[None]]:
    ailment = Ailment(symptom=Symptom.BROKEN, wire=what, delay_s=delay_s, is_carried_out=is_carried_out)
    return _of(ailment)


def _page(status: int, retry_after: str = "") -> Callable[[Whole], Awaitable[None]]:
    return _broken(wire.proxy_page(status, retry_after=retry_after), is_carried_out=False)


def _lying(lie: Lie) -> Callable[[Whole], Awaitable[None]]:
    return _of(Ailment(symptom=Symptom.LYING, lie=lie))


async def _refuses(cloud: Whole) -> None:
    await cloud.ports["Pod2"].refuse()


async def _ignores(cloud: Whole) -> None:
    await cloud.ports["Pod2"].ignore()


async def _holds(cloud: Whole) -> None:
    await cloud.ports["Pod2"].hold()


_GOOD = frozenset((200, 202, 204))
_NOT_SENT = frozenset((503,))
_ANSWERED = frozenset((500, 503))
CASES = [
    Case(name="refused", fall_ill=_refuses, change=_NOT_SENT, is_known=True),
    Case(name="syn-lost", fall_ill=_ignores, change=_NOT_SENT, is_known=True),
    Case(name="never-read", fall_ill=_holds, is_known=True),
    Case(name="silent", fall_ill=_of(Ailment(symptom=Symptom.SILENT)), is_known=True),
    Case(name="slow", fall_ill=_of(Ailment(symptom=Symptom.SLOW, delay_s=30)), is_known=True),
    Case(name="slow-head", fall_ill=_broken(wire.dripping_head, delay_s=1.0), is_known=True),
    Case(name="slow-body", fall_ill=_broken(wire.dripping_body, delay_s=1.0), is_known=True),
    Case(name="cut-head", fall_ill=_broken(wire.cut_head), is_known=True),
    Case(name="cut-body", fall_ill=_of(Ailment(symptom=Symptom.CUT)), is_known=True),
    Case(name="length-too-long", fall_ill=_broken(wire.too_long), is_known=True),
    Case(name="length-too-short", fall_ill=_broken(wire.too_short)),
    Case(name="wrong-type", fall_ill=_broken(wire.mislabelled)),
    Case(name="page", fall_ill=_of(Ailment(symptom=Symptom.GARBAGE))),
    Case(name="half-json", fall_ill=_broken(wire.truncated)),
    Case(name="other-json", fall_ill=_broken(wire.other_json)),
    Case(name="500", fall_ill=_failing(500), show=_ANSWERED, change=_ANSWERED),
    Case(name="503", fall_ill=_failing(503), change=_NOT_SENT),
    Case(name="500-page", fall_ill=_page(500)),
    Case(name="502-page", fall_ill=_page(502)),
    Case(name="503-page", fall_ill=_page(503), change=_NOT_SENT),
    Case(name="504-page", fall_ill=_page(504)),
    Case(name="400-page", fall_ill=_page(400), change=_NOT_SENT),
    Case(name="403-page", fall_ill=_page(403), change=_NOT_SENT),
    Case(name="404-page", fall_ill=_page(404), change=_NOT_SENT),
    Case(name="429", fall_ill=_failing(429), change=_NOT_SENT),
    Case(name="429-page", fall_ill=_page(429, "7"), change=_NOT_SENT),
    Case(name="301", fall_ill=_broken(wire.redirect(301, ELSEWHERE))),
    Case(name="302", fall_ill=_broken(wire.redirect(302, ELSEWHERE))),
    Case(name="308", fall_ill=_broken(wire.redirect(308, ELSEWHERE))),
    Case(name="tls", fall_ill=_broken(wire.tls_alert), is_known=True),
    Case(name="endless-body", fall_ill=_broken(wire.endless_body), is_known=True),
    Case(name="endless-head", fall_ill=_broken(wire.endless_head), is_known=True),
    Case(name="repeating", fall_ill=_lying(lies.REPEATING), listed=Seen.PART, show=_GOOD, change=_GOOD),
    Case(name="empty-with-more", fall_ill=_lying(lies.EMPTY), show=_GOOD, change=_GOOD),
    Case(name="nameless", fall_ill=_lying(lies.NAMELESS), show=_GOOD, change=_GOOD),
    Case(name="doubled", fall_ill=_lying(lies.DOUBLED), listed=Seen.PART, show=_GOOD, change=_GOOD),
    Case(name="foreign", fall_ill=_lying(lies.FOREIGN), listed=Seen.PART, show=_GOOD, change=_GOOD),
    Case(name="scalars", fall_ill=_lying(lies.SCALARS), show=_GOOD, change=_GOOD),
    Case(name="unbounded", fall_ill=_lying(lies.UNBOUNDED), listed=Seen.ALL, show=_GOOD, change=_GOOD),
    Case(name="clock-ahead", fall_ill=_lying(lies.clock_off(1)), listed=Seen.ALL, show=_GOOD, change=_GOOD),
    Case(name="clock-behind", fall_ill=_lying(lies.clock_off(-1)), listed=Seen.ALL, show=_GOOD, change=_GOOD),
]
