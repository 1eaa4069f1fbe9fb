# SPDX-License-Identifier: Apache-2.0
"""What does a user read when a pod refuses something that was sent under other names than the user's?

Ids of ports, networks and groups are made ours by the carrier, with the shape ``FAULT``; here only what the user
called otherwise.
"""

from collections.abc import Mapping

from tricircle.errors import OutcomeUnknownError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.road.carrier import Carrier
from tricircle.upstream.reply import Reply

#: So says a proxy in front of a pod when Nova did not answer it in time.
_UNANSWERED = frozenset((502, 504))


def check_answered(reply: Reply) -> None:
    """:raises OutcomeUnknownError: not the pod speaks but something before it; what was asked may have been done"""
    if reply.status in _UNANSWERED:
        raise OutcomeUnknownError(
            "A service behind this API did not answer; the request may or may not have been carried out."
        )


def rename(reply: Reply, named: Mapping[str, str]) -> None:
    """Put what the user called things in the place of the pod's words for them."""
    if isinstance(reply.body, bytes):
        for word, ours in named.items():
            reply.body = reply.body.replace(word.encode(), ours.encode())


async def refused(
    carrier: Carrier, request: Request, pod: Pod, reply: Reply, *, named: Mapping[str, str] | None = None
) -> Answer:
    """A reply of status 400 or above as it leaves.

    :param named: words of the pod, and what the user called the same things
    """
    rename(reply, named or {})
    return await carrier.answer(request, pod, reply)
