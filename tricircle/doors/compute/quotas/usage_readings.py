# SPDX-License-Identifier: Apache-2.0
"""What does each pod say of usage, to the end of it?

Nova sends no more than so many servers at once (``[api] max_limit``, a thousand unless set otherwise), whether or not
it is asked for a page. From 2.40 on it says where to go on; before that it says nothing. So pods are asked at 2.40 at
least, where they have it, and read link by link.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from tricircle.http.message import Request
from tricircle.model.pod import Pod, Service
from tricircle.road.carrier import Carrier
from tricircle.road.gaps import Gap
from tricircle.road.listing import Query
from tricircle.road.versions import serves
from tricircle.upstream.reply import Reply

LOG = logging.getLogger(__name__)

Part = Mapping[str, object]

#: Since when usage comes in pages that say what follows.
PAGED_SINCE = (2, 40)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one pod said.

    :ivar parts: projects' usage, of all pages
    :ivar gap: why ``parts`` are not there, or not to the end
    :ivar refusal: its answer, if that is why
    """

    pod: Pod
    parts: tuple[Part, ...] = ()
    gap: Gap | None = None
    refusal: Reply | None = None


@dataclass(frozen=True, slots=True)
class Readings:
    """What all pods said, in the pods' fixed order."""

    each: tuple[Reading, ...]

    @property
    def parts(self) -> list[Part]:
        """What can be added up: a pod's part is whole, or left out."""
        return [part for reading in self.each if reading.gap is None for part in reading.parts]

    @property
    def lacking(self) -> tuple[Gap, ...]:
        """The pods whose part is not there."""
        return tuple(reading.gap for reading in self.each if reading.gap is not None)

    @property
    def refusal(self) -> tuple[Pod, Reply] | None:
        """The answer to what every pod that answered refused; None when there is something to add up."""
        refusals = [(reading.pod, reading.refusal) for reading in self.each if reading.refusal is not None]
        is_answered = any(reading.gap is None for reading in self.each)
        return refusals[0] if refusals and not is_answered else None


async def read(carrier: Carrier, request: Request, query: Query, key: str) -> Readings:
    """What all pods say, each waited for at most the list deadline, however many pages it has.

    :param query: what pods are asked with, without ``limit`` and ``marker``
    :param key: under which answers have usage: ``tenant_usages`` or ``tenant_usage``
    """
    started = time.perf_counter()
    context = replace(request.context, deadline=carrier.list_deadline(request.context))
    bounded = replace(request, context=context, timings={})
    pods = [pod for pod in await carrier.members() if Service.COMPUTE in pod.endpoints]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_read_one(carrier, bounded, pod, query, key)) for pod in pods]
    request.note("upstream", started)
    return Readings(tuple(task.result() for task in tasks))


async def _read_one(carrier: Carrier, request: Request, pod: Pod, query: Query, key: str) -> Reading:
    asked = replace(request, microversion=_version(pod, request.microversion))
    parts: list[Part] = []
    markers: list[str] = []
    while True:
        pairs = [*query, *(("marker", marker) for marker in markers[-1:])]
        fan = await carrier.fan_out(asked, query=urlencode(pairs).encode(), pods=(pod,))
        if not fan.good:
            return Reading(pod, (), fan.lacking[0], None if markers or fan.refusal is None else fan.refusal[1])
        body = fan.good[0].json()
        page = _parts(body.get(key))
        parts += page
        following = _following(body.get(f"{key}_links"))
        if following is None:
            return Reading(pod, tuple(parts))
        if following in markers or not page:
            LOG.warning("pod %s tells of usage in a circle, or on and on without anything", pod.name)
            return Reading(pod, (), Gap(pod, "more pages without anything new"))
        markers.append(following)


def _version(pod: Pod, version: tuple[int, int] | None) -> tuple[int, int] | None:
    """The version to ask a pod in: what differs below 2.40 is only that nothing says what follows."""
    endpoint = pod.endpoints[Service.COMPUTE]
    if version is None or version >= PAGED_SINCE or endpoint.max_version is None:
        return version
    return PAGED_SINCE if serves(pod, Service.COMPUTE, PAGED_SINCE) else version


def _parts(found: object) -> list[Part]:
    """The projects' usage in an answer: a list, or a single one, which is empty where nothing was used."""
    several: Sequence[object] = found if isinstance(found, list) else [found]
    return [one for one in several if isinstance(one, dict) and one]


def _following(links: object) -> str | None:
    """The marker of the next page.

    >>> _following([{"rel": "next", "href": "http://pod/os-simple-tenant-usage?detailed=1&marker=a"}])
    'a'
    """
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == "next" and isinstance(href := link.get("href"), str):
            # Where the link leads to is no business of ours: the pod is asked where it always is.
            return dict(parse_qsl(href.partition("?")[2])).get("marker")
    return None
