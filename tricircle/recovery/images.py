# SPDX-License-Identifier: Apache-2.0
"""Which copies of images does a pod with a Glance of its own have?

By their mark, owner and one of the ids that a copy may have, as sweeps judge them, and only what is whole. What is not
is gone on with by the next use; an operator's image that serves in place of a copy is found by it, too.
"""

from collections.abc import Iterable, Mapping, Sequence

from tricircle.audit.findings import Holding
from tricircle.audit.inventory import LISTINGS
from tricircle.audit.shapes import ImageShape
from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import Body
from tricircle.copies.image import content
from tricircle.copies.image.glances import Glances
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.recovery.declared import Centre
from tricircle.recovery.facts import Fact, Sorted, sort

_WHOLE = ("active", "deactivated")
_SHARED = "shared"


def of_images(
    pod: Pod, holdings: Iterable[Holding], members: Mapping[str, Sequence[str]], originals: Mapping[str, Body]
) -> Sorted:
    """Images. Pure.

    :param members: the projects that may use each shared copy, by its id in the pod
    :param originals: the images of the centre
    """
    shape = ImageShape()

    def judge(holding: Holding, image: Body) -> bool:
        return not shape.mismatch(image, holding) and content.is_same_data(image, holding.body)

    def make(holding: Holding, image: Body) -> Fact:
        agrees = not content.difference(image, holding.body)
        routing = Routing(
            id=0,
            central_id=str(image["id"]),
            kind=Kind.IMAGE,
            pod_id=pod.id,
            project_id=ProjectId(content.owner_of(image)),
            pod_resource_id=holding.pod_resource_id,
            revision=content.digest(image) if agrees else "",
            details={"is_ours": True, "members": sorted(members.get(holding.pod_resource_id, ()))},
            created_at=holding.created_at,
        )
        return Fact(routing=routing, job=None if agrees else JobType.IMAGE)

    whole = [one for one in holdings if one.body.get("status") in _WHOLE]
    return sort(pod, whole, originals, judge, make)


class ImageCopies:
    """Reads what their comparison needs beside a pod's list."""

    def __init__(self, glances: Glances, centre: Centre) -> None:
        self._glances = glances
        self._centre = centre
        self._originals: Mapping[str, Body] | None = None

    def are_in(self, pod: Pod) -> bool:
        """Whether the pod may have any."""
        return self._glances.is_own(pod)

    async def found(self, pod: Pod, holdings: Sequence[Holding], deadline: Deadline) -> Sorted:
        """What there is of them in a pod's list of images."""
        if self._originals is None:
            self._originals = await self._centre.all(LISTINGS[Kind.IMAGE], deadline)
        shared = [one for one in holdings if one.central_id is not None and one.body.get("visibility") == _SHARED]
        client = self._glances.of(pod)
        members = {
            one.pod_resource_id: await self._glances.members(client, one.pod_resource_id, deadline) for one in shared
        }
        return of_images(pod, holdings, {one: sorted(names) for one, names in members.items()}, self._originals)
