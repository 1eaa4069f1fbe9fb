# SPDX-License-Identifier: Apache-2.0
"""How does the central Nova show which pods there are? One host aggregate ``ag_<pod>`` per pod, with the pod's AZ.

It has no hosts; it is what ``openstack aggregate list`` shows to operators, as in the first release. Its metadata keeps
what else makes up a pod (``Identity``), so that pods outlive the loss of our tables. Every step may be repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tricircle.context import Deadline, PodId
from tricircle.errors import (
    BadUpstreamAnswerError,
    OutcomeUnknownError,
    UnavailableError,
    UnprocessableError,
    UpstreamStatusError,
)
from tricircle.model.pod import Pod, PodState
from tricircle.upstream.client import Clients
from tricircle.upstream.reply import Target

_PATH = "/v2.1/os-aggregates"
_PREFIX = "ag_"
#: Keys of ours in an aggregate's metadata. The central Nova schedules nothing, so nobody else reads them.
_ID, _POD_AZ, _DC, _STATE = "tricircle_pod_id", "tricircle_pod_az_name", "tricircle_dc_name", "tricircle_state"
_PHYSNETS = "tricircle_physical_networks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a survey cannot find out about a pod: it is as the operator or we have decided."""

    id: PodId
    pod_az_name: str = ""
    dc_name: str = ""
    state: PodState = PodState.ENABLED
    physical_networks: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, pod: Pod) -> "Identity":
        """That of a pod."""
        return cls(
            id=pod.id,
            pod_az_name=pod.pod_az_name,
            dc_name=pod.dc_name,
            state=pod.state,
            physical_networks=pod.physical_networks,
        )

    @classmethod
    def read(cls, metadata: Mapping[str, str]) -> "Identity | None":
        """What an aggregate says; None when it says no id. A state that we do not know counts as enabled.

        >>> Identity.read({"tricircle_pod_id": "4f", "tricircle_state": "draining"}).state.value
        'draining'
        """
        if not metadata.get(_ID):
            return None
        said = metadata.get(_STATE, "")
        return cls(
            id=PodId(metadata[_ID]),
            pod_az_name=metadata.get(_POD_AZ, ""),
            dc_name=metadata.get(_DC, ""),
            state=PodState(said) if said in set(PodState) else PodState.ENABLED,
            physical_networks=unpaired(metadata.get(_PHYSNETS, "")),
        )

    def metadata(self) -> dict[str, str]:
        """As an aggregate keeps it."""
        plain = {_ID: self.id, _POD_AZ: self.pod_az_name, _DC: self.dc_name, _STATE: self.state.value}
        return {**plain, _PHYSNETS: paired(self.physical_networks)}


def paired(names: Mapping[str, str]) -> str:
    """Names of physical networks in Neutron's own form: neither holds a colon or a comma.

    >>> paired({"wan": "physnet7", "far": "fibre"})
    'far:fibre,wan:physnet7'
    """
    return ",".join(f"{central}:{own}" for central, own in sorted(names.items()))


def unpaired(value: str) -> dict[str, str]:
    """What :func:`paired` has written.

    >>> unpaired("far:fibre,wan:physnet7")
    {'far': 'fibre', 'wan': 'physnet7'}
    """
    return dict(pair.split(":", 1) for pair in value.split(",") if ":" in pair)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A host aggregate; ``is_new`` when this call made it."""

    id: int
    name: str
    az_name: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    is_new: bool = False

    @property
    def pod_name(self) -> str | None:
        """The pod that it would be of, by its name; None when it can be of none."""
        is_ours = self.name.startswith(_PREFIX) and bool(self.az_name)
        return (self.name.removeprefix(_PREFIX) or None) if is_ours else None

    @property
    def identity(self) -> Identity | None:
        """What it says of its pod, or None."""
        return Identity.read(self.metadata)


def aggregate_name(pod_name: str) -> str:
    """The name of a pod's aggregate."""
    return _PREFIX + pod_name


class Aggregates:
    """The pods' aggregates at the central compute service.

    :param target: the central compute service
    """

    def __init__(self, clients: Clients, target: Target) -> None:
        self._clients = clients
        self._target = target

    async def ensure(self, pod_name: str, az_name: str, deadline: Deadline) -> Aggregate:
        """The pod's aggregate with this AZ: made, or the one of this name adopted.

        :raises UnprocessableError: Nova refuses the AZ's name
        """
        name = aggregate_name(pod_name)
        body = {"aggregate": {"name": name, "availability_zone": az_name}}
        try:
            made = await self._ask("POST", _PATH, deadline, body=body)
        except UpstreamStatusError as error:
            if error.status != 409:
                raise
            found = await self.find(pod_name, deadline)
            if found is None:
                raise
            return found if found.az_name == az_name else await self._move(found, az_name, deadline)
        return replace(_aggregate(made.get("aggregate")), is_new=True)

    async def find(self, pod_name: str, deadline: Deadline) -> Aggregate | None:
        """The pod's aggregate, or None."""
        for aggregate in await self.all(deadline):
            if aggregate.name == aggregate_name(pod_name):
                return aggregate
        return None

    async def all(self, deadline: Deadline) -> list[Aggregate]:
        """Every aggregate of the centre, those of pods and others."""
        listed = (await self._ask("GET", _PATH, deadline)).get("aggregates")
        return [_aggregate(item) for item in listed] if isinstance(listed, list) else []

    async def describe(self, aggregate: Aggregate, identity: Identity, deadline: Deadline) -> None:
        """Write into an aggregate what its pod is, unless it says so already."""
        wanted = identity.metadata()
        if wanted.items() <= aggregate.metadata.items():
            return
        body = {"set_metadata": {"metadata": wanted}}
        await self._ask("POST", f"{_PATH}/{aggregate.id}/action", deadline, body=body)

    async def remove(self, pod_name: str, deadline: Deadline) -> bool:
        """Remove the pod's aggregate. False when there was none."""
        found = await self.find(pod_name, deadline)
        if found is None:
            return False
        await self._ask("DELETE", f"{_PATH}/{found.id}", deadline)
        return True

    async def _move(self, aggregate: Aggregate, az_name: str, deadline: Deadline) -> Aggregate:
        body = {"aggregate": {"availability_zone": az_name}}
        moved = await self._ask("PUT", f"{_PATH}/{aggregate.id}", deadline, body=body)
        return _aggregate(moved.get("aggregate"))

    async def _ask(self, method: str, path: str, deadline: Deadline, *, body: object = None) -> dict[str, object]:
        """One call. A refusal is an UpstreamStatusError, or an UnprocessableError for what Nova says of the values."""
        client = self._clients.as_service(self._target)
        ok = (404,) if method == "DELETE" else ()
        try:
            return await client.ask(method, path, body=body, deadline=deadline, ok=ok)
        except UpstreamStatusError as error:
            if error.status != 400:
                raise
            raise UnprocessableError(
                f"The central compute service refuses the aggregate: {error.body[:300]}"
            ) from error
        except (UnavailableError, OutcomeUnknownError) as error:
            # Every step may be repeated, so the operator need not know whether it was carried out.
            raise UnavailableError(
                f"The central compute service does not answer: {str(error.__cause__ or '') or error}"
            ) from error


def _aggregate(item: object) -> Aggregate:
    if not isinstance(item, Mapping) or not isinstance(item.get("id"), int):
        raise BadUpstreamAnswerError("The central compute service sent an answer that cannot be read.")
    said = item.get("metadata")
    metadata = {str(key): str(value) for key, value in said.items()} if isinstance(said, Mapping) else {}
    return Aggregate(
        id=item["id"], name=str(item.get("name")), az_name=item.get("availability_zone"), metadata=metadata
    )
