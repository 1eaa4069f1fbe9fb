# SPDX-License-Identifier: Apache-2.0
"""What does the compute door ask of the rooms below, beside the road's carrier? Only these calls."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.model.device import NewVolume
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.pods.capacity import Demand
from tricircle.pods.placement import Wish
from tricircle.road.allowance import Hold
from tricircle.upstream.client import ServiceClient
from tricircle.upstream.reply import Target


class Asking(Protocol):
    """Clients for calls that we make ourselves (``upstream/client.py``)."""

    def as_user(self, context: RequestContext, target: Target, microversion: str | None = None) -> ServiceClient:
        """With the user's token and ours."""
        ...

    def as_service(
        self, target: Target, microversion: str | None = None, *, request_id: str | None = None
    ) -> ServiceClient:
        """As the service user alone."""
        ...


class PodSelection(Protocol):
    """Chooses pods (``pods/selection.py``)."""

    async def choose(
        self,
        wish: Wish,
        *,
        project_id: ProjectId,
        demand: Demand | None = None,
        copies: Mapping[PodId, int] | None = None,
        deadline: Deadline,
    ) -> Pod:
        """The best pod for the wish. :raises NoValidPodError: there is none."""
        ...


class Pulses(Protocol):
    """Which pods answer (``pods/health.py``)."""

    def answers(self, pod: Pod, service: Service) -> bool:
        """Whether calls to the service are not refused at once."""
        ...


class KnownPods(Protocol):
    """The pods as last read (``pods/registry.py``)."""

    async def pods(self) -> tuple[Pod, ...]:
        """All pods, the central region's row included."""
        ...

    async def enabled(self) -> tuple[Pod, ...]:
        """The pods that are asked."""
        ...

    async def accepting(self, az_name: str | None = None) -> tuple[Pod, ...]:
        """The pods that take new resources."""
        ...

    async def az_names(self) -> tuple[str, ...]:
        """The AZs that tenants see."""
        ...

    def target(self, pod: Pod, service: Service) -> Target:
        """Where a pod serves an API."""
        ...

    def central(self, service: Service) -> Target:
        """Where the centre serves an API."""
        ...


class ProjectBindings(Protocol):
    """Which project uses which pods (``pods/bindings.py``)."""

    async def pods_of(self, project_id: ProjectId) -> Collection[PodId]:
        """Ids of the pods that the project is bound to."""
        ...

    async def ensure(self, project_id: ProjectId, pod: Pod, deadline: Deadline) -> object:
        """Bind the project, and lift its limits in the pod."""
        ...


class KnownRoutings(Protocol):
    """Routings (``ledger/routings.py``)."""

    async def record(
        self,
        kind: Kind,
        resource_id: str,
        pod_id: PodId,
        project_id: ProjectId,
        created_at: datetime | None = None,
        details: Mapping[str, object] | None = None,
    ) -> Routing:
        """Write down where an owned resource lives."""
        ...

    async def copy_in(self, kind: Kind, central_id: str, pod_id: PodId) -> Routing | None:
        """The copy of one declared resource in one pod."""
        ...

    async def copies_of(self, kind: Kind, central_id: str) -> Sequence[Routing]:
        """All copies of one declared resource."""
        ...

    async def of_reservation(self, reservation_id: str) -> Sequence[Routing]:
        """The servers that one call made, oldest first."""
        ...

    async def by_pod_resource(self, pod_id: PodId, kind: Kind, ids: Iterable[str]) -> dict[str, Routing]:
        """Copies by their ids in the pod."""
        ...

    async def by_central(self, kind: Kind, ids: Iterable[str], pod_id: PodId) -> dict[str, Routing]:
        """Bound copies by their central ids."""
        ...

    async def update(
        self, routing_id: int, *, details: Mapping[str, object] | None = None, revision: str | None = None
    ) -> bool:
        """Merge facts into a routing."""
        ...


class ProjectRoutings(Protocol):
    """The servers of a project in a pod that does not answer (``ledger/routings.py``)."""

    async def of_project(
        self, kind: Kind, pod_id: PodId, project_id: ProjectId | None, *, limit: int
    ) -> Sequence[Routing]:
        """Bound routings, newest first; of all projects when none is named."""
        ...

    async def record(
        self,
        kind: Kind,
        resource_id: str,
        pod_id: PodId,
        project_id: ProjectId,
        created_at: datetime | None = None,
        details: Mapping[str, object] | None = None,
    ) -> Routing:
        """Write down where an owned resource lives."""
        ...

    async def update(
        self, routing_id: int, *, details: Mapping[str, object] | None = None, revision: str | None = None
    ) -> bool:
        """Merge facts into a routing."""
        ...


class JobFiles(Protocol):
    """Where jobs are filed (``jobs/queue.py``)."""

    async def append(
        self,
        type: JobType,  # noqa: A002  (the queue's own word)
        resource_id: str,
        project_id: ProjectId,
        *,
        pod_id: PodId = ...,
        revision: int | None = None,
        payload: Mapping[str, object] | None = None,
        delay_s: float = 0,
    ) -> int:
        """File a job for one pod, or for all that have a copy; its id."""
        ...

    async def withdraw(self, job_id: int) -> None:
        """Remove a job that was filed as a precaution."""
        ...


class PortCopies(Protocol):
    """Ports in pods, with their trunks (``copies/trunks.py``)."""

    async def check(self, pod: Pod, port: Mapping[str, object], *, deadline: Deadline) -> None:
        """Refuse what the pod cannot have, before anything is made there."""
        ...

    async def ensure(
        self, pod: Pod, port: Mapping[str, object], *, details: Mapping[str, object] | None = None, deadline: Deadline
    ) -> Routing:
        """The copy of a central port (as administrators see it), networks and groups first."""
        ...

    async def remove(self, pod: Pod, port_id: str, deadline: Deadline) -> None:
        """Delete the copy of a central port and forget it."""
        ...


class GroupCopies(Protocol):
    """Security groups in pods (``copies/security_groups.py``)."""

    async def ensure(self, pod: Pod, group_id: str, project_id: ProjectId, *, deadline: Deadline) -> Routing:
        """The copy of a central group, shared with the project when it is another's."""
        ...


class FlavorCopies(Protocol):
    """Flavors in pods (``copies/flavors.py``)."""

    async def ensure(self, pod: Pod, flavor: Mapping[str, object], *, project_id: ProjectId, deadline: Deadline) -> str:
        """The flavor's id there."""
        ...


class ImageCopies(Protocol):
    """Images in pods that have a Glance of their own (``copies/image/images.py``)."""

    def has_own(self, pod: Pod) -> bool:
        """Whether the pod may have one."""
        ...

    async def holders(self, image_id: str) -> Mapping[PodId, int]:
        """By pod: 1 where the image is known to be."""
        ...

    async def ensure(self, pod: Pod, image: Mapping[str, object], *, project_id: ProjectId, deadline: Deadline) -> str:
        """The image's id there. :raises UnavailableError: it is not there yet"""
        ...


class ImageHomes(Protocol):
    """Images that pods make (``copies/image/homes.py``)."""

    async def announce(
        self, context: RequestContext, pod: Pod, image_id: str, payload: Mapping[str, object] | None = None
    ) -> None:
        """Reserve an image's id at the centre, and have it brought there."""
        ...

    async def announce_of_server(
        self, context: RequestContext, pod: Pod, server_id: str, payload: Mapping[str, object] | None = None
    ) -> None:
        """The same for all images of a server that nobody knows yet."""
        ...

    async def watch_shelved(self, context: RequestContext, pod: Pod, server_id: str) -> None:
        """Have the centre follow when the pod deletes what a shelved server was kept in."""
        ...


class KeypairCopies(Protocol):
    """Key pairs in pods (``copies/keypairs.py``)."""

    async def ensure(
        self, pod: Pod, context: RequestContext, keypair: Mapping[str, object], deadline: Deadline
    ) -> None:
        """The caller's key pair, under the same name."""
        ...


class ServerGroupCopies(Protocol):
    """Server groups in pods (``copies/server_groups.py``)."""

    async def ensure(self, pod: Pod, context: RequestContext, group: Mapping[str, object], deadline: Deadline) -> str:
        """The group's id there."""
        ...


class VanishedCopies(Protocol):
    """Copies that a pod may have lost (``copies/vanished.py``)."""

    async def forget(self, pod: Pod, named: Iterable[tuple[Kind, str]], deadline: Deadline) -> bool:
        """Forget those that are gone; whether there were any."""
        ...


class VolumeTypeCopies(Protocol):
    """Volume types in pods (``copies/volume_types.py``)."""

    async def ensure(self, pod: Pod, volume_type: Mapping[str, object], deadline: Deadline) -> str:
        """What to call the type there."""
        ...


class ServerStorage(Protocol):
    """What servers may take of the limits of storage (``doors/block_storage/quotas/server_storage.py``)."""

    async def take(
        self, context: RequestContext, pod: Pod, volumes: Sequence[NewVolume], counts: tuple[int, int]
    ) -> Hold:
        """Reserve the volumes of as many servers as may be made. :raises QuotaExceededError: not even ``counts[0]``."""
        ...

    async def ensure_types(self, context: RequestContext, pod: Pod, volumes: Sequence[NewVolume]) -> Mapping[str, str]:
        """Have volumes without a type get the centre's; by image, what the pod calls otherwise the type it wants."""
        ...

    async def take_image(self, context: RequestContext, pod: Pod, server_id: str) -> Hold:
        """Reserve the snapshots that an image of a server consists of. :raises QuotaExceededError: they may not be."""
        ...
