# SPDX-License-Identifier: Apache-2.0
"""Which pod gets this request's resource? Collects the facts that ``placement`` decides by.

Facts that are free (state, AZ, versions, breakers, bindings) come first. Pods are asked about room only when more
than one could take the resource: with one pod per AZ a boot waits for nobody.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tricircle.context import Deadline, PodId, ProjectId
from tricircle.model.pod import Pod
from tricircle.pods.bindings import Bindings
from tricircle.pods.capacity import Capacity, Demand
from tricircle.pods.health import Health
from tricircle.pods.placement import Candidate, Verdict, Wish, choose, judge
from tricircle.pods.registry import Registry


class Selection:
    """Chooses pods by what is known of them now."""

    def __init__(self, registry: Registry, bindings: Bindings, health: Health, capacity: Capacity) -> None:
        self._registry = registry
        self._bindings = bindings
        self._health = health
        self._capacity = capacity

    async def choose(
        self,
        wish: Wish,
        *,
        project_id: ProjectId,
        demand: Demand | None = None,
        copies: Mapping[PodId, int] | None = None,
        deadline: Deadline,
    ) -> Pod:
        """The best pod for the wish; equal pods are drawn by the project unless the wish has a seed.

        :param demand: what a server needs; None when room is no question
        :param copies: per pod, how many of the declared things that the request names are there already
        :raises NoValidPodError: see ``placement.choose``
        """
        wish = wish if wish.seed else replace(wish, seed=project_id)
        candidates = await self._candidates(wish, project_id, copies or {})
        able = [verdict.candidate for verdict in judge(candidates, wish) if verdict.refused_by is None]
        if len(able) > 1:
            candidates = await self._weighed(able, wish, demand, deadline)
        chosen = choose(candidates, wish)
        if len(able) < 2 or any(candidate.bound_as is not None for candidate in candidates):
            return chosen
        # Its first use: what it makes at the same time, in whatever service, shall come to the same pod.
        bound = await self._bindings.claim(project_id, chosen, [candidate.pod.id for candidate in able])
        return choose([_bound(candidate, bound) for candidate in candidates], wish)

    async def explain(
        self, wish: Wish, *, project_id: ProjectId, demand: Demand | None = None, deadline: Deadline
    ) -> tuple[Verdict, ...]:
        """What ``choose`` would think of every pod, all facts asked for. For operators."""
        wish = wish if wish.seed else replace(wish, seed=project_id)
        candidates = await self._candidates(wish, project_id, {})
        return judge(await self._weighed(candidates, wish, demand, deadline), wish)

    async def _candidates(self, wish: Wish, project_id: ProjectId, copies: Mapping[PodId, int]) -> list[Candidate]:
        pods, bound = await asyncio.gather(self._registry.pods(), self._bindings.pods_of(project_id))
        found = [
            Candidate(pod=pod, is_healthy=self._health.answers(pod, wish.service), copies=copies.get(pod.id, 0))
            for pod in pods
            if not pod.is_central
        ]
        return [_bound(candidate, bound) for candidate in found]

    async def _weighed(
        self, candidates: list[Candidate], wish: Wish, demand: Demand | None, deadline: Deadline
    ) -> list[Candidate]:
        pods = [candidate.pod for candidate in candidates]
        shares = self._capacity.free_shares(pods, wish.service, deadline)
        if demand is None:
            rooms: Mapping[PodId, bool | None] = {}
            free = await shares
        else:
            rooms, free = await asyncio.gather(self._capacity.rooms(pods, demand, deadline), shares)
        return [
            replace(candidate, has_room=rooms.get(candidate.pod.id), free_share=free.get(candidate.pod.id))
            for candidate in candidates
        ]


def _bound(candidate: Candidate, bound: Sequence[PodId]) -> Candidate:
    """The candidate of a project that is bound to these pods, oldest first."""
    return replace(candidate, bound_as=bound.index(candidate.pod.id) if candidate.pod.id in bound else None)
