# SPDX-License-Identifier: Apache-2.0
"""Is a body one that Nova takes, and if not, in which words does Nova refuse it?

Nova's schemas differ between a hundred microversions. Instead of keeping a second set, we let the central Nova read
the body before anything is made anywhere, in a form that it can never carry out: a boot with a flavor that cannot
exist, an action on a server that the centre does not have. Nova checks form and policy first and looks for flavor or
server afterwards; so "not found" means that the body is good. See ``docs/decisions/0015-rehearsal.md``.
"""

import uuid
from collections.abc import Mapping

from tricircle.errors import BadUpstreamAnswerError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.road.carrier import Carrier

#: Since when ``unshelve`` may name an AZ. Below it Nova takes any body and heeds nothing of it.
ZONE_IN_UNSHELVE = (2, 77)

#: Under which keys actions name what we look for ourselves, and Nova only when the server may be changed; and since
#: which microversion Nova looks for it. Before that it may take anything there and do the action all the same.
_NAMING: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "resize": {"flavorRef": (2, 1)},
    "rebuild": {"imageRef": (2, 1), "key_name": (2, 54)},
    "rescue": {"rescue_image_ref": (2, 1)},
    "unshelve": {"availability_zone": ZONE_IN_UNSHELVE},
}


def is_since(request: Request, version: tuple[int, int]) -> bool:
    """Whether a request is made in this microversion or a later one."""
    return (request.microversion or (2, 1)) >= version


async def rehearse_boot(carrier: Carrier, request: Request, document: Mapping[str, object]) -> Answer | None:
    """Nova's refusal of the body of ``POST /servers``; None when form and policy are in order.

    :raises UnavailableError: when the centre cannot be asked
    :raises BadUpstreamAnswerError: when the centre took the body for good, which it cannot
    """
    server = document.get("server")
    asked = server.get("flavorRef") if isinstance(server, Mapping) else None
    probe = f"rehearsal-{uuid.uuid4()}"
    is_readable = isinstance(asked, int | str) and not isinstance(asked, bool) and asked != ""
    body = dict(document)
    if is_readable and isinstance(server, Mapping):
        body["server"] = {**server, "flavorRef": probe}
    answer = await carrier.central(request, method="POST", path="/servers", query=b"", body=body)
    text = answer.body if isinstance(answer.body, bytes) else b""
    if answer.status == 400 and is_readable and f"Flavor {probe} could not be found.".encode() in text:
        return None
    if answer.status < 400:
        raise BadUpstreamAnswerError("The central compute service did not refuse a rehearsal.")
    # A message may quote the whole body: with the flavor that the user named, not with ours.
    quoted = repr(asked).encode()
    answer.body = text.replace(repr(probe).encode(), quoted).replace(probe.encode(), str(asked).encode())
    return answer


async def rehearse_on_server(carrier: Carrier, request: Request, document: Mapping[str, object]) -> Answer | None:
    """Nova's refusal of a body that is about a server in a pod; None when its form is in order.

    The centre has no servers, so a body in good form is answered with 404 there.
    """
    return await rehearse(carrier, request, document)


async def rehearse(
    carrier: Carrier, request: Request, document: Mapping[str, object] | None, path: str | None = None
) -> Answer | None:
    """Nova's refusal of a call about a server or a host, of which the centre has none; None when it is in order.

    :param path: instead of the request's, where that could name something that the centre has
    """
    answer = await carrier.central(request, path=path, body=None if document is None else dict(document))
    if answer.status == 404:
        return None
    if answer.status < 400:
        raise BadUpstreamAnswerError("The central compute service did not refuse a rehearsal.")
    return answer


async def refused_as_it_is(
    carrier: Carrier, request: Request, pod: Pod, document: Mapping[str, object]
) -> Answer | None:
    """What a pod says of an action whatever it names, since the server is locked or in another state; else None.

    Nova looks at the server before it looks for what an action names. So before we refuse that, the pod is asked for
    the action with names that nobody has: it can never carry that out. It is not asked where it would not look for any
    of them. Nor can the pod see then whether the form of the names was good, so the centre says that first.
    """
    action = next(iter(document), "")
    asked = document.get(action)
    if not isinstance(asked, Mapping):
        return None
    probes = {
        key: str(uuid.uuid4())
        for key, since in _NAMING.get(action, {}).items()
        if is_since(request, since) and isinstance(asked.get(key), str | int)
    }
    if not probes:
        return None
    if (refusal := await rehearse_on_server(carrier, request, document)) is not None:
        return refusal
    reply = await carrier.to_pod(request, pod, body={action: {**asked, **probes}})
    if reply.status < 400:
        raise BadUpstreamAnswerError("A pod did not refuse a rehearsal.")
    return await carrier.answer(request, pod, reply) if reply.status == 409 else None
