# SPDX-License-Identifier: Apache-2.0
"""Has the pod plugged in the port that somebody looks at?

Jobs follow the status of ports a second or more behind (``copies/statuses.py``). Who waits for a port looks at it
again and again; so one that is not ACTIVE yet and has a copy is asked for in its pod. The centre's word stands where
the pod does not answer at once.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from tricircle.context import Deadline
from tricircle.copies.pod_status import ACTIVE
from tricircle.doors.network.ports import KnownCopies, KnownPods
from tricircle.errors import BadUpstreamAnswerError, TricircleError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, PodState
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier

LOG = logging.getLogger(__name__)

#: Seconds that a client waits for the pod.
PATIENCE_S = 3.0


class PodStatuses(Protocol):
    """What pods say of ports (``copies/statuses.py``)."""

    async def learn(self, pod: Pod, ports: Sequence[Mapping[str, object]], deadline: Deadline) -> Mapping[str, str]:
        """Ask a pod, and make the centre show what it says; the status by central id."""
        ...


class PortStatus:
    """The special case ``GET /ports/{port_id}``."""

    def __init__(self, *, carrier: Carrier, copies: KnownCopies, pods: KnownPods, statuses: PodStatuses) -> None:
        self._carrier = carrier
        self._copies = copies
        self._pods = pods
        self._statuses = statuses

    async def show(self, request: Request) -> Answer:
        """Neutron's answer, with the status of now."""
        answer = await self._carrier.central(request)
        if answer.status != 200 or not isinstance(answer.body, bytes):
            return answer
        try:
            document = answer.object()
        except BadUpstreamAnswerError:
            return answer  # the centre's, whatever it is
        port = document.get("port")
        # Whoever chose fields without these gets what the centre knows.
        if not isinstance(port, dict) or not port.get("admin_state_up") or port.get("status", ACTIVE) == ACTIVE:
            return answer
        status = await self._ask(request.params["port_id"], port, request.context.deadline.within(PATIENCE_S))
        if status is None or status == port["status"]:
            return answer
        port["status"] = status
        return Answer.json(200, document, [pair for pair in answer.headers if not pair[0].startswith(b"content-")])

    async def _ask(self, port_id: str, port: Mapping[str, object], deadline: Deadline) -> str | None:
        try:
            for copy in await self._copies.copies_of(Kind.PORT, port_id):
                pod = await self._pods.get(copy.pod_id) if copy.is_bound else None
                if pod is not None and not pod.is_central and pod.state is not PodState.DISABLED:
                    learnt = await self._statuses.learn(pod, [{**port, "id": port_id}], deadline)
                    return learnt.get(port_id)
        except TricircleError as error:
            LOG.info("the status of port %s is the centre's: %s", port_id, error)
        return None
