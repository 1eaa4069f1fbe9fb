# SPDX-License-Identifier: Apache-2.0
"""How much did projects use in a period? What the pods say, added up per project."""

from collections.abc import Iterable, Mapping

from tricircle.copies.flavors import central_name
from tricircle.http.message import Answer, Request
from tricircle.road.carrier import Carrier
from tricircle.road.gather import marks

_TOTALS = ("total_hours", "total_local_gb_usage", "total_memory_mb_usage", "total_vcpus_usage")


class Usage:
    """``GET /os-simple-tenant-usage`` and ``.../{project_id}``.

    Answers whole: a page of one pod's servers is no page of the sum, so ``limit`` and ``marker`` (2.40 and later) are
    not passed on, and there is no next page.
    """

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def index(self, request: Request) -> Answer:
        """Every project's usage."""
        return await self._summed(request, "tenant_usages")

    async def show(self, request: Request) -> Answer:
        """One project's usage; empty when it used nothing."""
        return await self._summed(request, "tenant_usage")

    async def _summed(self, request: Request, key: str) -> Answer:
        pairs = request.query.split(b"&")
        query = [pair for pair in pairs if not pair.startswith((b"limit=", b"marker="))]
        if any(pair.startswith(b"limit=") for pair in pairs):
            # What is not passed on must be good all the same; the centre, where nothing runs, knows no marker.
            rest = b"&".join(pair for pair in pairs if not pair.startswith(b"marker="))
            answer = await self._carrier.central(request, query=rest)
            if answer.status >= 400:
                return answer
        fan = await self._carrier.fan_out(request, query=b"&".join(query))
        if fan.refusal is not None:
            return await self._carrier.answer(request, *fan.refusal)
        parts: list[Mapping[str, object]] = []
        for reply in fan.good:
            found = reply.json().get(key)
            parts += found if isinstance(found, list) else [found] if isinstance(found, dict) and found else []
        usages = summed(parts)
        value: object = usages if key == "tenant_usages" else next(iter(usages), {})
        return Answer.json(200, {key: value}, marks(fan.lacking))


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
