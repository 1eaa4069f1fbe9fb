# SPDX-License-Identifier: Apache-2.0
"""How does a pod come to be known, change, and go?

A pod is a row, an aggregate at the central Nova, and nothing else. The aggregate is made first and adopted when it
is there, the row is written last: whatever fails, there is no pod without its aggregate, and doing it again ends
well. Removing goes the other way round. Last of all the aggregate is told what the pod is (``aggregates.Identity``):
``tricircle-manage recover`` reads it there. Texts here are for operators: they name regions and addresses.
"""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tricircle.context import Deadline, PodId
from tricircle.errors import (
    ConflictError,
    DuplicateRowError,
    InvalidRequestError,
    NotFoundError,
    ReferencedRowError,
    TricircleError,
    UnprocessableError,
)
from tricircle.model.job import JobKey, JobType
from tricircle.model.pod import PHYSICAL_NETWORKS, Pod, PodState
from tricircle.model.routing import Kind
from tricircle.pods.aggregates import Aggregate, Aggregates, Identity
from tricircle.pods.registry import Registry
from tricircle.pods.survey import Survey, Surveyor
from tricircle.store.bindings import BindingRows
from tricircle.store.engine import Connection, Engine, transact, transaction
from tricircle.store.jobs import JobRows
from tricircle.store.pods import PodRows
from tricircle.store.routings import RoutingRows

LOG = logging.getLogger(__name__)

#: Copies that may stay in a pod that goes: nothing of the centre waits for them. All other kinds keep a pod from
#: going: what runs there, and what holds addresses or VLAN ids that must not be given to anybody else before the pod
#: has let go.
LEFT_BEHIND = frozenset(
    {
        Kind.FLAVOR,
        Kind.KEYPAIR,
        Kind.SERVER_GROUP,
        Kind.VOLUME_TYPE,
        Kind.GROUP_TYPE,
        Kind.IMAGE,
        Kind.SECURITY_GROUP,
        Kind.ADDRESS_GROUP,
        Kind.QOS_POLICY,
    }
)
_CENTRAL_HAS_LITTLE = (
    "The central region has neither state, nor availability zones, nor other names of physical networks: only dc_name."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A pod to be. An empty ``az_name`` means the central region itself."""

    name: str
    az_name: str = ""
    pod_az_name: str = ""
    dc_name: str = ""
    physical_networks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to change of a pod; None leaves a field as it is. ``physical_networks`` takes the place of all names."""

    state: PodState | None = None
    az_name: str | None = None
    pod_az_name: str | None = None
    dc_name: str | None = None
    physical_networks: Mapping[str, str] | None = None


class Registration:
    """Registers, changes and removes pods.

    :param central_region: the Keystone region in which the centre stands
    """

    def __init__(
        self, engine: Engine, registry: Registry, surveyor: Surveyor, aggregates: Aggregates, *, central_region: str
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._surveyor = surveyor
        self._aggregates = aggregates
        self._central_region = central_region

    async def register(self, draft: Draft, deadline: Deadline) -> Pod:
        """The new pod, once its region is known to Keystone and its services have answered.

        :raises ConflictError: the name is taken, or there is a central region already
        :raises InvalidRequestError: without an AZ only the central region can be registered
        :raises UnprocessableError: the region or its services are not as they must be; the text says all that is wrong
        :raises UnavailableError: Keystone, the central Nova or the database does not answer; nothing was written
        """
        async with transaction(self._engine) as connection:
            self._check_free(draft, await PodRows.list(connection))
        survey = await self._surveyed(draft.name, is_central=not draft.az_name, deadline=deadline)
        facts = dict(survey.facts)
        if draft.physical_networks:
            facts[PHYSICAL_NETWORKS] = dict(draft.physical_networks)
        aggregate: Aggregate | None = None
        if draft.az_name:
            aggregate = await self._aggregates.ensure(draft.name, draft.az_name, deadline)
            facts["aggregate_id"] = aggregate.id
        known = aggregate.identity if aggregate else None
        pod = Pod(
            # One that was known before our tables were lost keeps its id: slices at the centre are found by it.
            id=known.id if known else PodId(str(uuid.uuid4())),
            name=draft.name,
            az_name=draft.az_name,
            pod_az_name=draft.pod_az_name if draft.az_name else "",
            dc_name=draft.dc_name,
            endpoints=survey.endpoints,
            facts=facts,
        )
        try:
            written = await transact(self._engine, lambda connection: self._insert(connection, pod))
        except DuplicateRowError as error:
            # The other request's pod uses the aggregate.
            raise ConflictError(_taken(draft.name)) from error
        except TricircleError:
            if aggregate is not None and aggregate.is_new:
                await self._give_back(draft.name, deadline)
            raise
        self._registry.forget()
        await self._describe(aggregate, written, deadline)
        LOG.info("registered pod %s (%s) in AZ %r", written.name, written.id, written.az_name)
        return written

    async def change(self, pod_id: PodId, change: Change, deadline: Deadline) -> Pod:
        """The pod as it is after the change. Enabling a pod surveys it anew: endpoints and versions may be other ones.

        :raises NotFoundError, InvalidRequestError, UnprocessableError, UnavailableError: as their texts say
        """
        async with transaction(self._engine) as connection:
            pod = _found(await PodRows.get(connection, pod_id), pod_id)
        if pod.is_central and (change.state or change.az_name or change.pod_az_name or change.physical_networks):
            raise InvalidRequestError(_CENTRAL_HAS_LITTLE)
        if change.az_name == "":
            raise UnprocessableError("A pod must have an availability zone: az_name is empty.")
        survey: Survey | None = None
        if change.state is PodState.ENABLED:
            survey = await self._surveyed(pod.name, is_central=False, deadline=deadline)
        is_moved = change.az_name is not None and change.az_name != pod.az_name
        aggregate: Aggregate | None = None
        if not pod.is_central and (is_moved or survey is not None):
            az_name = pod.az_name if change.az_name is None else change.az_name
            aggregate = await self._aggregates.ensure(pod.name, az_name, deadline)
        aggregate_id = aggregate.id if aggregate else None
        try:
            changed = await transact(
                self._engine, lambda connection: self._rewrite(connection, pod_id, change, survey, aggregate_id)
            )
        except TricircleError:
            if is_moved:
                await self._aggregates.ensure(pod.name, pod.az_name, deadline)
            raise
        self._registry.forget()
        await self._describe(aggregate, changed, deadline)
        LOG.info("changed pod %s: state %s, AZ %r", changed.name, changed.state, changed.az_name)
        return changed

    async def remove(self, pod_id: PodId, deadline: Deadline, *, is_lost: bool = False) -> None:
        """Forget a pod, its aggregate, its bindings and its left-behind copies (see ``LEFT_BEHIND``).

        :param is_lost: forget all that it holds, too: the operator knows that it never comes back. What it had waits
            for nobody any more
        :raises NotFoundError: there is no such pod
        :raises ConflictError: the pod still holds resources; the text says what and how many. Or it is to be forgotten
            with them and is not disabled
        """
        async with transaction(self._engine) as connection:
            pods = await PodRows.list(connection)
            pod = _found(next((one for one in pods if one.id == pod_id), None), pod_id)
            if pod.is_central and len(pods) > 1:
                raise ConflictError(f"The central region cannot be removed before its pods: {len(pods) - 1} are left.")
            _check_removable(pod, await RoutingRows.counts(connection, pod_id), is_lost=is_lost)
        if not pod.is_central:
            await self._aggregates.remove(pod.name, deadline)
        try:
            await transact(self._engine, lambda connection: self._delete(connection, pod, is_lost=is_lost))
        except TricircleError:
            if not pod.is_central:
                await self._describe(await self._aggregates.ensure(pod.name, pod.az_name, deadline), pod, deadline)
            raise
        self._registry.forget()
        LOG.info("removed pod %s (%s)", pod.name, pod.id)

    async def _describe(self, aggregate: Aggregate | None, pod: Pod, deadline: Deadline) -> None:
        """Tell the aggregate what the pod is. A failure undoes nothing: ``pod check`` sees it."""
        if pod.is_central:
            return
        try:
            aggregate = aggregate or await self._aggregates.find(pod.name, deadline)
            if aggregate is not None:
                await self._aggregates.describe(aggregate, Identity.of(pod), deadline)
        except TricircleError as error:
            LOG.warning("the aggregate of pod %s does not say what it is: %s", pod.name, error)

    def _check_free(self, draft: Draft, pods: tuple[Pod, ...]) -> None:
        central = next((pod for pod in pods if pod.is_central), None)
        if any(pod.name == draft.name for pod in pods):
            raise ConflictError(_taken(draft.name))
        if not draft.az_name:
            if draft.physical_networks:
                raise InvalidRequestError(_CENTRAL_HAS_LITTLE)
            if central is not None:
                raise ConflictError(
                    f"The central region is registered already as '{central.name}'. Give az_name to register a pod."
                )
            if draft.name != self._central_region:
                raise InvalidRequestError(
                    f"'{draft.name}' is not the central region, which is '{self._central_region}' ([gateway] "
                    "central_region). Give az_name to register a pod."
                )
        elif draft.name == self._central_region:
            raise ConflictError(f"'{draft.name}' is the central region ([gateway] central_region); it cannot be a pod.")

    async def _surveyed(self, name: str, *, is_central: bool, deadline: Deadline) -> Survey:
        survey = await (self._surveyor.centre if is_central else self._surveyor.region)(name, deadline)
        if survey.problems:
            raise UnprocessableError(" ".join(_sentence(problem) for problem in survey.problems))
        return survey

    @staticmethod
    async def _insert(connection: Connection, pod: Pod) -> Pod:
        await PodRows.insert(connection, pod)
        return await PodRows.get(connection, pod.id) or pod

    @staticmethod
    async def _rewrite(
        connection: Connection, pod_id: PodId, change: Change, survey: Survey | None, aggregate_id: int | None
    ) -> Pod:
        """Apply the change to the row as it is now, so that two changes of different fields both stay."""
        pod = _found(await PodRows.get(connection, pod_id), pod_id)
        facts = {**pod.facts, **(survey.facts if survey else {})}
        if aggregate_id is not None:
            facts["aggregate_id"] = aggregate_id
        if change.physical_networks is not None:
            facts[PHYSICAL_NETWORKS] = dict(change.physical_networks)
        wanted = replace(
            pod,
            state=pod.state if change.state is None else change.state,
            az_name=pod.az_name if change.az_name is None else change.az_name,
            pod_az_name=pod.pod_az_name if change.pod_az_name is None else change.pod_az_name,
            dc_name=pod.dc_name if change.dc_name is None else change.dc_name,
            endpoints=survey.endpoints if survey else pod.endpoints,
            facts=facts,
        )
        await PodRows.update(connection, wanted)
        return _found(await PodRows.get(connection, pod_id), pod_id)

    @staticmethod
    async def _delete(connection: Connection, pod: Pod, *, is_lost: bool) -> None:
        pod = _found(await PodRows.get(connection, pod.id), pod.id)
        _check_removable(pod, await RoutingRows.counts(connection, pod.id), is_lost=is_lost)
        if is_lost:
            # Another pod inherits the gateways that were the tenants'.
            for subnet in await RoutingRows.of_pod(connection, Kind.SUBNET, pod.id):
                key = JobKey(type=JobType.SUBNET, resource_id=subnet.central_id)
                await JobRows.append(connection, key, subnet.project_id, revision=None, payload={}, delay_s=0)
        await RoutingRows.delete_of_pod(connection, pod.id, frozenset(Kind) if is_lost else LEFT_BEHIND)
        await BindingRows.delete_of_pod(connection, pod.id)
        try:
            await PodRows.delete(connection, pod.id)
        except ReferencedRowError as error:
            raise ConflictError(f"Pod '{pod.name}' has just been given a resource. Drain it first.") from error

    async def _give_back(self, pod_name: str, deadline: Deadline) -> None:
        try:
            await self._aggregates.remove(pod_name, deadline)
        except TricircleError as error:
            # The next registration adopts it; the first error is what the operator must read.
            LOG.warning("the aggregate of %s stays behind: %s", pod_name, error)


def _found(pod: Pod | None, pod_id: PodId) -> Pod:
    if pod is None:
        raise NotFoundError(f"Pod {pod_id} could not be found.")
    return pod


def _taken(name: str) -> str:
    return f"Pod '{name}' exists already."


def _check_removable(pod: Pod, counts: Mapping[Kind, int], *, is_lost: bool) -> None:
    if is_lost and not pod.is_central:
        if pod.state is not PodState.DISABLED:
            raise ConflictError(f"Pod '{pod.name}' is {pod.state.value}. Disable it before forgetting what it holds.")
        return
    held = [_counted(kind, counts[kind]) for kind in Kind if counts.get(kind) and kind not in LEFT_BEHIND]
    if held:
        raise ConflictError(f"Pod '{pod.name}' still holds {', '.join(held)}. Drain the pod and remove these first.")


def _counted(kind: Kind, count: int) -> str:
    noun = kind.value.replace("_", " ")
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
