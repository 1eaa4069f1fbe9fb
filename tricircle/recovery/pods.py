# SPDX-License-Identifier: Apache-2.0
"""Which pods were there before our tables were lost, and where do they serve what?

The central Nova knows: one aggregate ``ag_<pod>`` per pod, whose metadata says what no survey could find out. What a
survey can, is surveyed anew, as at a registration. A pod that does not answer is written down all the same, with the
addresses of the catalog: if nobody knew of it, "not found" would be said of what it holds.
"""

import uuid
from dataclasses import dataclass, replace
from typing import Protocol

from tricircle.context import Deadline, PodId
from tricircle.keystone.catalog import Region
from tricircle.model.pod import PHYSICAL_NETWORKS, Endpoint, Pod, Service
from tricircle.pods.aggregates import Aggregate, Aggregates, Identity
from tricircle.pods.survey import Survey, Surveyor
from tricircle.recovery.report import Did, Report
from tricircle.store.engine import Engine, transact, transaction
from tricircle.store.pods import PodRows
from tricircle.store.restoration import forget_pod

_NOUN = "pod"


class Regions(Protocol):
    """What is needed of Keystone."""

    async def regions(self, deadline: Deadline) -> list[Region]:
        """All regions."""
        ...


@dataclass(frozen=True, slots=True)
class RecoveredPod:
    """A pod, and whether it answered."""

    pod: Pod
    answers: bool


class PodRecovery:
    """Finds the pods and writes their rows.

    :param central_region: the Keystone region in which the centre stands
    """

    def __init__(
        self,
        engine: Engine,
        catalog: Regions,
        surveyor: Surveyor,
        aggregates: Aggregates,
        *,
        central_region: str,
        report: Report,
    ) -> None:
        self._engine = engine
        self._catalog = catalog
        self._surveyor = surveyor
        self._aggregates = aggregates
        self._central_region = central_region
        self._report = report

    async def run(self, deadline: Deadline, *, is_rehearsal: bool) -> list[RecoveredPod]:
        """The pods, without the central region, by name.

        :param is_rehearsal: nothing is written
        :raises UnavailableError: Keystone, the central Nova or the database does not answer
        """
        async with transaction(self._engine) as connection:
            known = {pod.name: pod for pod in await PodRows.list(connection)}
        regions = {region.id for region in await self._catalog.regions(deadline)}
        await self._centre(known.get(self._central_region), deadline, is_rehearsal=is_rehearsal)
        found = []
        aggregates = await self._aggregates.all(deadline)
        named = {name: one for one in aggregates if (name := one.pod_name) is not None and name in regions}
        named.pop(self._central_region, None)
        for name, aggregate in sorted(named.items()):
            found.append(await self._pod(name, aggregate, known.get(name), deadline, is_rehearsal=is_rehearsal))
        for name in sorted(known.keys() - named.keys() - {self._central_region}):
            self._report.problem(
                f"Pod {name} is written down, but the central Nova has no aggregate of it.",
                f"If it exists: openstack multiregion networking pod set --enable {name}; then run this again. "
                "If it does not: pod delete.",
            )
        return found

    async def _centre(self, known: Pod | None, deadline: Deadline, *, is_rehearsal: bool) -> None:
        """The central region's own row. Nothing refers to its id, so a new one does."""
        survey = await self._surveyor.centre(self._central_region, deadline)
        for problem in survey.problems:
            self._report.problem(problem, "Mend the centre, and run this again.")
        pod = known or Pod(id=PodId(str(uuid.uuid4())), name=self._central_region, az_name="")
        wanted = replace(pod, endpoints=_endpoints(known, survey), facts={**pod.facts, **survey.facts})
        await self._write(wanted, known, is_rehearsal=is_rehearsal)

    async def _pod(
        self, name: str, aggregate: Aggregate, known: Pod | None, deadline: Deadline, *, is_rehearsal: bool
    ) -> RecoveredPod:
        self._report.progress(f"{name}: asking its services")
        survey = await self._surveyor.region(name, deadline)
        identity = self._identity(name, aggregate, known)
        former = known if known is not None and known.id == identity.id else None
        wanted = Pod(
            id=identity.id,
            name=name,
            az_name=str(aggregate.az_name),
            pod_az_name=identity.pod_az_name,
            dc_name=identity.dc_name,
            state=identity.state,
            endpoints=_endpoints(former, survey),
            facts={
                **(former.facts if former else {}),
                **survey.facts,
                "aggregate_id": aggregate.id,
                **({PHYSICAL_NETWORKS: dict(identity.physical_networks)} if identity.physical_networks else {}),
            },
        )
        if not is_rehearsal:
            # Before the row: who is interrupted finds the same id the next time.
            await self._aggregates.describe(aggregate, identity, deadline)
            if known is not None and former is None:
                await transact(self._engine, lambda connection: forget_pod(connection, known.id))
        await self._write(wanted, former, is_rehearsal=is_rehearsal)
        for problem in survey.problems:
            remedy = (
                f"Mend it, and run this again. Until then its addresses are those of the catalog: pod check {name}."
            )
            self._report.problem(f"Pod {name}: {problem}", remedy)
        return RecoveredPod(wanted, answers=not survey.problems)

    def _identity(self, name: str, aggregate: Aggregate, known: Pod | None) -> Identity:
        """What the aggregate says, else what an older row says, else that of a new pod."""
        said = aggregate.identity
        if said is not None:
            if known is not None and known.id != said.id:
                self._report.note(f"Pod {name} was removed and registered anew since the database was backed up.")
            return said
        if known is not None:
            return Identity.of(known)
        self._report.note(
            f"Aggregate {aggregate.name} does not say which id its pod had (it was registered by an older release): "
            "it gets a new one, and its slices of subnets are found by its name. Its state is taken to be enabled."
        )
        return Identity(id=PodId(str(uuid.uuid4())))

    async def _write(self, wanted: Pod, former: Pod | None, *, is_rehearsal: bool) -> None:
        if former is not None and _same(wanted, former):
            self._report.count(wanted.name, _NOUN, Did.KEPT)
            return
        self._report.count(wanted.name, _NOUN, Did.WRITTEN)
        if is_rehearsal:
            return
        if former is None:
            await transact(self._engine, lambda connection: PodRows.insert(connection, wanted))
        else:
            await transact(self._engine, lambda connection: PodRows.update(connection, wanted))


def _endpoints(known: Pod | None, survey: Survey) -> dict[Service, Endpoint]:
    """As surveyed; where a service does not answer, as written down, or as the catalog has it."""
    if not survey.problems:
        return dict(survey.endpoints)
    return {**survey.listed, **(known.endpoints if known else {}), **survey.endpoints}


def _same(one: Pod, other: Pod) -> bool:
    return replace(one, created_at=None, updated_at=None) == replace(other, created_at=None, updated_at=None)
