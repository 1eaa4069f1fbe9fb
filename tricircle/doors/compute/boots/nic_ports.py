# SPDX-License-Identifier: Apache-2.0
"""How do the ports of a server come to be: claimed at the centre, made in the pod, given to the server, or taken back?

A port that is being used carries a *claim* as its ``device_id`` from the first moment, so that no other boot takes
it; the claim becomes the server's id when the pod has accepted the boot. A job for the claim is filed before anything
is made: if this process dies, the worker finds no server of that id and cleans up as after a deleted server
(``copies/server_ports.py``).

What only the routing would know of a port that we made (that we made it, and which AZ the boot asked for) stands in its
``binding:profile`` too, which only administrators see: ``tricircle-manage recover`` reads it there. A port of a user's
carries nothing of ours, since its profile may be an operator's.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.copies.origins import GATEWAY, UNBOUND, USER, profile_of, server_owner
from tricircle.copies.server_ports import CLAIMED
from tricircle.copies.statuses import NOBODY, SOON_S, plugged
from tricircle.doors.compute.boots.nics import Nic, check_port
from tricircle.doors.compute.needs import Asking, JobFiles, KnownPods, KnownRoutings, PortCopies
from tricircle.doors.compute.together import caught, settled, value
from tricircle.errors import (
    SERVICE_AWAY,
    BadUpstreamAnswerError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    QuotaExceededError,
    TricircleError,
    UnavailableError,
    UpstreamStatusError,
)
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Routing
from tricircle.upstream.central import is_gone
from tricircle.upstream.client import ServiceClient

LOG = logging.getLogger(__name__)

#: What the centre says when it has made nothing.
_REFUSALS = (InvalidRequestError, ConflictError, ForbiddenError, QuotaExceededError, NotFoundError)
#: Time to take back what was made, also when the request's own time is up.
_RELEASE_S = 15.0
#: So often a port is claimed that others change at the same time.
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedPort:
    """A central port that is ours for the moment, as administrators see it.

    :ivar is_users: the user brought it; otherwise we made it, and it ends with the server
    """

    body: Mapping[str, object]
    is_users: bool
    tag: str | None = None

    @property
    def port_id(self) -> str:
        """Its central id."""
        return str(self.body["id"])


@dataclass(slots=True, kw_only=True)
class Claim:
    """The ports of one server that is being made (or of one interface that is being attached).

    :ivar id: the ``device_id`` until the server's is known
    :ivar owner: the server's project; of an attach the caller may be an administrator of another one
    :ivar copies: the copies in the pod, in the order of ``ports``
    :ivar asked_az: the AZ that the boot asked for, None when it asked for none
    :ivar is_certain: every central port that came to be is among ``ports``
    :ivar job_id: the job that lets go of everything, should this process die; None when there is nothing to let go of
    """

    id: str
    pod: Pod
    context: RequestContext
    owner: ProjectId
    asked_az: str | None = None
    ports: list[ClaimedPort] = field(default_factory=list)
    copies: list[Routing] = field(default_factory=list)
    is_certain: bool = True
    job_id: int | None = None

    def names(self) -> dict[str, str]:
        """Ids of the copies, and of the ports that they are copies of; nobody knows them after a release."""
        pairs = zip(self.copies, self.ports, strict=False)
        return {str(copy.pod_resource_id): port.port_id for copy, port in pairs}

    def pod_networks(self) -> list[dict[str, object]]:
        """The pod's ``networks`` value."""
        return [
            {"port": copy.pod_resource_id, **({"tag": port.tag} if port.tag else {})}
            for port, copy in zip(self.ports, self.copies, strict=True)
        ]


class NicPorts:
    """Makes, gives and takes back the ports of servers."""

    def __init__(
        self,
        *,
        clients: Asking,
        pods: KnownPods,
        copies: PortCopies,
        routings: KnownRoutings,
        jobs: JobFiles,
        grace_s: float = 180.0,
    ) -> None:
        """``grace_s``: longer than any boot: only then may the worker take what a claim holds."""
        self._clients = clients
        self._pods = pods
        self._copies = copies
        self._routings = routings
        self._jobs = jobs
        self._grace_s = grace_s

    async def claim(
        self,
        context: RequestContext,
        pod: Pod,
        nics: Sequence[Nic],
        deadline: Deadline,
        *,
        owner: ProjectId | None = None,
        asked_az: str | None = None,
    ) -> Claim:
        """Central ports for ``nics``, bound to ``pod``, which can have them; nothing is made there yet. What was
        claimed is released again when one cannot be had.

        :param owner: the server's project; None: the caller's
        :raises InvalidRequestError, ConflictError, ForbiddenError, QuotaExceededError: in Nova's words
        """
        owner = owner or context.project_id
        claim = Claim(id=str(uuid.uuid4()), pod=pod, context=context, owner=owner, asked_az=asked_az)
        if not nics:
            return claim
        claim.job_id = await self._jobs.append(
            JobType.SERVER_PORTS,
            claim.id,
            owner,
            pod_id=pod.id,
            payload=CLAIMED,
            delay_s=self._grace_s,
        )
        outcomes = await settled([self._claim_one(claim, nic, deadline) for nic in nics])
        claim.ports += [outcome for outcome in outcomes if isinstance(outcome, ClaimedPort)]
        failures = [outcome for outcome in outcomes if isinstance(outcome, TricircleError)]
        claim.is_certain = all(isinstance(failure, _REFUSALS) for failure in failures)
        if not failures:
            checks = await settled([self._check(claim, port, deadline) for port in claim.ports])
            failures = [check for check in checks if isinstance(check, TricircleError)]
        if failures:
            await self.release(claim)
            raise failures[0]
        return claim

    async def realise(self, claim: Claim, deadline: Deadline) -> None:
        """Make the claimed ports in the pod. Releases nothing when it fails: the caller does."""
        outcomes = await settled(
            [
                self._copies.ensure(
                    claim.pod,
                    port.body,
                    details={"origin": USER if port.is_users else GATEWAY, "server_id": claim.id},
                    deadline=deadline,
                )
                for port in claim.ports
            ]
        )
        claim.copies += [value(outcome) for outcome in outcomes]

    async def give(self, claim: Claim, server_id: str, deadline: Deadline) -> None:
        """The ports belong to the server now. Never fails: what cannot be written is written by the job of the
        server."""
        outcomes = await settled(
            [
                self._give_one(claim, port, copy, server_id, deadline)
                for port, copy in zip(claim.ports, claim.copies, strict=True)
            ]
        )
        failures = [outcome for outcome in outcomes if isinstance(outcome, TricircleError)]
        for failure in failures:
            LOG.warning("a port of server %s could not be marked: %s", server_id, failure)
        if claim.ports:
            soon = self._jobs.append(
                JobType.PORT_STATUS,
                claim.pod.id,
                NOBODY,
                pod_id=claim.pod.id,
                payload=plugged(server_id),
                delay_s=SOON_S,
            )
            # Without it a sweep sees when the ports are plugged in.
            if isinstance(error := await caught(soon), TricircleError):
                LOG.warning("nobody looks for the ports of server %s: %s", server_id, error)
        if not failures:
            await self._end(claim)

    async def release(self, claim: Claim) -> None:
        """Undo a claim as if it had never been. What cannot be undone now, the claim's job undoes later."""
        deadline = Deadline.after(_RELEASE_S)
        outcomes = await settled([self._release_one(claim, port, deadline) for port in claim.ports])
        failures = [outcome for outcome in outcomes if isinstance(outcome, TricircleError)]
        for failure in failures:
            LOG.warning("ports of claim %s are left to its job: %s", claim.id, failure)
        if not failures and claim.is_certain:
            await self._end(claim)
        claim.ports.clear()
        claim.copies.clear()

    async def _end(self, claim: Claim) -> None:
        """The claim holds nothing any more. A job that cannot be withdrawn finds nothing to do."""
        if claim.job_id is not None:
            outcome = await caught(self._jobs.withdraw(claim.job_id))
            if isinstance(outcome, TricircleError):
                LOG.info("the job of claim %s stays: %s", claim.id, outcome)

    async def _check(self, claim: Claim, port: ClaimedPort, deadline: Deadline) -> None:
        try:
            await self._copies.check(claim.pod, port.body, deadline=deadline)
        except UpstreamStatusError as error:
            # Nothing was made: whatever the pod suffers from, the same request may work later.
            LOG.warning("pod %s does not say whether it can have port %s: %s", claim.pod.name, port.port_id, error)
            raise UnavailableError(SERVICE_AWAY) from error

    async def _claim_one(self, claim: Claim, nic: Nic, deadline: Deadline) -> ClaimedPort:
        binding: dict[str, object] = {"binding:host_id": claim.pod.name}
        if nic.port is not None:
            taken = {**binding, "device_id": claim.id, "device_owner": server_owner(claim.pod.az_name)}
            return ClaimedPort(body=await self._take(claim, nic, taken, deadline), is_users=True, tag=nic.tag)
        # Until the server has it, a port of ours has no owner: so the claim's job knows that it may delete it.
        made = await self._make(claim, nic, deadline)
        try:
            profile = {"binding:profile": profile_of(GATEWAY, claim.asked_az)}
            body = await self._write(str(made["id"]), {**binding, **profile, "description": ""}, deadline)
        except TricircleError:
            await self._delete(str(made["id"]), Deadline.after(_RELEASE_S))
            raise
        return ClaimedPort(body=body, is_users=False, tag=nic.tag)

    async def _make(self, claim: Claim, nic: Nic, deadline: Deadline) -> Mapping[str, object]:
        """A central port by the user's own hand, so that policy of the network service applies, and the quota of the
        server's project."""
        port: dict[str, object] = {
            "network_id": nic.network_id,
            "admin_state_up": True,
            "device_id": claim.id,
            "description": UNBOUND,
        }
        if claim.owner != claim.context.project_id:
            # Only administrators may say it; without it Neutron takes the caller's.
            port["project_id"] = claim.owner
        if nic.address:
            port["fixed_ips"] = [{"ip_address": nic.address}]
        if nic.group_ids:
            port["security_groups"] = list(nic.group_ids)
        client = self._clients.as_user(claim.context, self._pods.central(Service.NETWORK))
        try:
            return _port(await client.post("/v2.0/ports", body={"port": port}, deadline=deadline))
        except UpstreamStatusError as error:
            raise nic.refused(error) from error

    async def _take(
        self, claim: Claim, nic: Nic, change: Mapping[str, object], deadline: Deadline
    ) -> Mapping[str, object]:
        """Claim a user's port if nobody changed it since we saw it free: of two boots with one port, one gets it.

        A change of something else, such as a name or a tag, does not make it anybody's: it is looked at again.
        """
        port: Mapping[str, object] = nic.port or {}
        port_id, service = str(port["id"]), self._service()
        for _ in range(_TRIES):
            condition = [(b"if-match", f"revision_number={port['revision_number']}".encode())]
            reply = await service.reply(
                "PUT", _path(port_id), body={"port": dict(change)}, headers=condition, deadline=deadline
            )
            if reply.status < 300:
                return _port(reply.json())
            if reply.status == 404:
                raise nic.gone()
            if reply.status != 412:
                raise UnavailableError(SERVICE_AWAY)
            try:
                port = _port(await service.get(_path(port_id), deadline=deadline))
            except UpstreamStatusError as error:
                if is_gone(error):
                    raise nic.gone() from error
                raise
            if port.get("device_id") == claim.id:
                return port  # the call was repeated below us, and it was the first one that counted
            check_port(port, claim.owner, "")
        raise ConflictError(f"Port {port_id} is being changed by other requests. Try again.")

    async def _give_one(
        self, claim: Claim, port: ClaimedPort, copy: Routing, server_id: str, deadline: Deadline
    ) -> None:
        await self._routings.update(copy.id, details={**copy.details, "server_id": server_id})
        await self._write(
            port.port_id, {"device_id": server_id, "device_owner": server_owner(claim.pod.az_name)}, deadline
        )

    async def _release_one(self, claim: Claim, port: ClaimedPort, deadline: Deadline) -> None:
        await self._copies.remove(claim.pod, port.port_id, deadline)
        if not port.is_users:
            await self._delete(port.port_id, deadline)
            return
        await self._write(port.port_id, {"device_id": "", "device_owner": "", "binding:host_id": ""}, deadline)

    async def _write(self, port_id: str, change: Mapping[str, object], deadline: Deadline) -> Mapping[str, object]:
        return _port(await self._service().put(_path(port_id), body={"port": dict(change)}, deadline=deadline))

    async def _delete(self, port_id: str, deadline: Deadline) -> None:
        await self._service().delete(_path(port_id), deadline=deadline, ok=(404,))

    def _service(self) -> ServiceClient:
        return self._clients.as_service(self._pods.central(Service.NETWORK))


def _path(port_id: str) -> str:
    return f"/v2.0/ports/{port_id}"


def _port(answer: Mapping[str, object]) -> Mapping[str, object]:
    port = answer.get("port")
    if not isinstance(port, Mapping):
        raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
    return port
