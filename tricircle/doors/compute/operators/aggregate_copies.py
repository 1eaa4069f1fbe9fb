# SPDX-License-Identifier: Apache-2.0
"""How do hosts of pods come to be in an aggregate of the centre?

The centre has no hosts. A host that is added to an aggregate is put into the aggregate's copy in the host's pod: made
for the first host there, deleted with the last. The copy's name is our mark, so no record is needed: what is in an
aggregate is what its copies hold. All is done with the administrator's own token; pods decide whether he may.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from tricircle.doors.compute.operators.machines import items_in
from tricircle.doors.compute.zones import zone_in
from tricircle.errors import BadUpstreamAnswerError
from tricircle.http.message import Request
from tricircle.model.host_names import full_name
from tricircle.model.pod import Pod
from tricircle.road.carrier import Carrier
from tricircle.road.fan_out import FanOut
from tricircle.upstream.reply import Reply

PATH = "/os-aggregates"
_MARK = "tricircle."
ZONE = "availability_zone"
Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Copy:
    """An aggregate of the centre as one pod has it.

    :ivar aggregate_id: the central id
    :ivar pod_id: the id in the pod
    """

    pod: Pod
    aggregate_id: str
    pod_id: str
    hosts: tuple[str, ...]
    zone: str | None

    @property
    def path(self) -> str:
        """Where the pod has it."""
        return f"{PATH}/{self.pod_id}"


def copies_in(fan: FanOut) -> list[Copy]:
    """The copies of all aggregates in all pods that gave a list."""
    return [
        copy
        for pod, reply in fan.replies
        if reply.status == 200
        for aggregate in items_in(reply.json(), "aggregates")
        if (copy := _copy(pod, aggregate)) is not None
    ]


def hosts_in(copies: Iterable[Copy], aggregate_id: str) -> list[str]:
    """The full names of all hosts of an aggregate."""
    return [
        str(full_name(copy.pod, host)) for copy in copies if copy.aggregate_id == aggregate_id for host in copy.hosts
    ]


def metadata_in(pod: Pod, metadata: Body) -> dict[str, object]:
    """Metadata of an aggregate as the pod gets it: its AZ under another name, or none when the pod is the AZ."""
    zone = metadata.get(ZONE)
    if not isinstance(zone, str) or not zone:
        return dict(metadata)
    made = {key: value for key, value in metadata.items() if key != ZONE}
    return {**made, ZONE: name} if (name := zone_in(pod, zone)) else made


class AggregateCopies:
    """Reads and changes copies of aggregates."""

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    async def all(self, request: Request) -> FanOut:
        """What all pods say of their aggregates."""
        return await self._carrier.fan_out(request, path=PATH, query=b"")

    async def ensure(self, request: Request, pod: Pod, aggregate: Body) -> Copy | Reply:
        """The copy in a pod, made if it is not there; a reply is the pod's refusal.

        :param aggregate: the central body, with ``metadata``
        """
        aggregate_id = str(aggregate["id"])
        found = await self._find(request, pod, aggregate_id)
        if found is not None:
            return found
        metadata = aggregate.get("metadata")
        wanted = metadata_in(pod, metadata if isinstance(metadata, Mapping) else {})
        body: dict[str, object] = {"aggregate": {"name": _MARK + aggregate_id}}
        made = await self._carrier.to_pod(request, pod, method="POST", path=PATH, query=b"", body=body)
        # 409: somebody else has made it in this very moment.
        if made.status >= 300 and made.status != 409:
            return made
        found = await self._find(request, pod, aggregate_id)
        if found is None:
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        if wanted:
            told = await self.act(request, found, "set_metadata", {"metadata": wanted})
            if told.status >= 300:
                await self.remove(request, found)
                return told
        return found

    async def act(self, request: Request, copy: Copy, action: str, content: Body) -> Reply:
        """An action on a copy."""
        path = f"{copy.path}/action"
        body: dict[str, object] = {action: dict(content)}
        reply = await self._carrier.to_pod(request, copy.pod, method="POST", path=path, query=b"", body=body)
        return renamed(reply, copy)

    async def remove(self, request: Request, copy: Copy) -> Reply:
        """Delete a copy; a pod refuses while a host is in it."""
        return await self._carrier.to_pod(request, copy.pod, method="DELETE", path=copy.path, query=b"", body=b"")

    async def _find(self, request: Request, pod: Pod, aggregate_id: str) -> Copy | None:
        reply = await self._carrier.to_pod(request, pod, method="GET", path=PATH, query=b"")
        found = items_in(reply.json(), "aggregates") if reply.status == 200 else []
        copies = (_copy(pod, aggregate) for aggregate in found)
        return next((copy for copy in copies if copy is not None and copy.aggregate_id == aggregate_id), None)


def renamed(reply: Reply, copy: Copy) -> Reply:
    """A pod's refusal with the aggregate's central id and the host's full name in its text."""
    if reply.status < 400 or not isinstance(reply.body, bytes):
        return reply
    try:
        fault = reply.json()
    except BadUpstreamAnswerError:
        return reply
    for value in fault.values():
        if isinstance(value, dict) and isinstance(text := value.get("message"), str):
            for word in ("aggregate", "Aggregate"):
                text = text.replace(f"{word} {copy.pod_id}", f"{word} {copy.aggregate_id}")
            value["message"] = text.replace(f"'{_MARK}", "'")
    reply.body = msgspec.json.encode(fault)
    return reply


def _copy(pod: Pod, aggregate: Body) -> Copy | None:
    name, hosts, zone = aggregate.get("name"), aggregate.get("hosts"), aggregate.get(ZONE)
    if not isinstance(name, str) or not name.startswith(_MARK):
        return None
    return Copy(
        pod=pod,
        aggregate_id=name.removeprefix(_MARK),
        pod_id=str(aggregate.get("id")),
        hosts=tuple(map(str, hosts)) if isinstance(hosts, list) else (),
        zone=zone if isinstance(zone, str) else None,
    )
