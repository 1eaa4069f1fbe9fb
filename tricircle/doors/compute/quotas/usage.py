# SPDX-License-Identifier: Apache-2.0
"""How much did projects use in a period? What the pods say, added up per project."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from tricircle.copies.flavor_content import central_name
from tricircle.doors.compute.quotas.usage_pages import Page
from tricircle.doors.compute.quotas.usage_readings import PAGED_SINCE, read
from tricircle.errors import InvalidRequestError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.road.carrier import Carrier
from tricircle.road.lists.paging import next_query

_TOTALS = ("total_hours", "total_local_gb_usage", "total_memory_mb_usage", "total_vcpus_usage")

_OF_PAGES = ("limit", "marker")
_UNKNOWABLE = (
    "It cannot be known now where the marker is, because an availability zone does not answer. Please try again later."
)


class Usage:
    """``GET /os-simple-tenant-usage`` and ``.../{project_id}``.

    A page of one pod's servers is no page of the sum, so ``limit`` and ``marker`` (2.40 and later) are not passed on:
    pods are asked for everything in detail, and the page is cut out of that.
    """

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def index(self, request: Request) -> Answer:
        """Every project's usage. Raises as ``show``."""
        return await self._summed(request, "tenant_usages")

    async def show(self, request: Request) -> Answer:
        """One project's usage; empty when it used nothing.

        :raises InvalidRequestError: no server has the marker
        :raises UnavailableError: no server that can be seen now has it
        """
        return await self._summed(request, "tenant_usage")

    async def _summed(self, request: Request, key: str) -> Answer:
        pairs = request.query_pairs()
        query = [(name, value) for name, value in pairs if name not in _OF_PAGES]
        if len(query) < len(pairs):
            # What is not passed on must be good all the same; the centre, where nothing runs, knows no marker.
            rest = urlencode([(name, value) for name, value in pairs if name != "marker"])
            answer = await self._carrier.central(request, query=rest.encode())
            if answer.status >= 400:
                return answer
        page = _page_of(request, is_detailed=key == "tenant_usage")
        if page is not None and key == "tenant_usages":
            # One project's is in detail anyway, and Nova refuses the word there from 2.75 on.
            query = [*((name, value) for name, value in query if name != "detailed"), ("detailed", "1")]
        readings = await read(self._carrier, request, query, key)
        if readings.refusal is not None:
            return await self._carrier.answer(request, *readings.refusal)
        usages, following = _cut(page, summed(readings.parts), is_whole=not readings.lacking)
        value: object = usages if key == "tenant_usages" else next(iter(usages), {})
        body: dict[str, object] = {key: value}
        if following is not None:
            href = self._carrier.page_link(request, next_query(pairs, following))
            body[f"{key}_links"] = [{"rel": "next", "href": href}]
        return Answer.json(200, body, self._carrier.incomplete(request, readings.lacking))


def _cut(
    page: Page | None, whole: list[dict[str, object]], *, is_whole: bool
) -> tuple[list[dict[str, object]], str | None]:
    """What is asked for of all usages, and the next page's marker.

    :raises InvalidRequestError: no server has the marker
    :raises UnavailableError: no server that can be seen now has it
    """
    if page is None:
        return whole, None
    try:
        return page.of(whole)
    except InvalidRequestError as error:
        if is_whole:
            raise
        raise UnavailableError(_UNKNOWABLE) from error


def _page_of(request: Request, *, is_detailed: bool) -> Page | None:
    """Which page is asked for; None: everything. The form of what is asked is in order."""
    pairs = request.query_pairs()
    asked = dict(pairs)
    if (request.microversion or (2, 1)) < PAGED_SINCE or not asked.keys() & {"limit", "marker"}:
        return None
    # Nova takes the last of these, and the first of "detailed".
    detailed = next((value for name, value in pairs if name == "detailed" and value), "0")
    return Page(
        limit=int(asked.get("limit", 0)),
        marker=asked.get("marker"),
        is_detailed=is_detailed or detailed == "1",
    )


def summed(parts: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """One entry per project.

    >>> summed([{"tenant_id": "a", "total_hours": 1.5}, {"tenant_id": "a", "total_hours": 2.0}])[0]["total_hours"]
    3.5
    """
    usages: dict[str, dict[str, object]] = {}
    for part in parts:
        known = usages.setdefault(str(part.get("tenant_id")), {})
        for name, value in part.items():
            before = known.get(name)
            if name in _TOTALS and isinstance(value, int | float):
                known[name] = value + (before if isinstance(before, int | float) else 0)
            elif name == "server_usages" and isinstance(value, list):
                known[name] = [*(before if isinstance(before, list) else []), *map(_shown, value)]
            elif name not in known:
                known[name] = value
    return list(usages.values())


def _shown(server: object) -> object:
    """One server's part, with the flavor's name at the centre."""
    if isinstance(server, dict) and isinstance(name := server.get("flavor"), str):
        return {**server, "flavor": central_name(name)}
    return server
