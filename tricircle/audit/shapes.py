# SPDX-License-Identifier: Apache-2.0
"""What should the copy of an original look like in a pod, kind by kind? Pure: what it needs to know is handed in.

The same functions build the bodies that are sent to pods (``copies/*``), so what is compared is what is made.
"""

from collections.abc import Collection
from dataclasses import dataclass

from tricircle.audit.compare import NOT_LIKE, OTHER_PROJECT
from tricircle.audit.findings import Holding
from tricircle.copies import flavor_content, volume_types
from tricircle.copies.bodies import Body, text
from tricircle.copies.image import content as image_content
from tricircle.model.pod import Pod
from tricircle.model.routing import Routing


@dataclass(frozen=True, slots=True)
class FlavorShape:
    """Flavors: their mark stands in a field that only administrators write."""

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``."""
        return flavor_content.difference(central, copy, present)

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        return "" if flavor_content.central_id(holding.pod_resource_id) == holding.central_id else NOT_LIKE

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Servers keep what they were booted with."""
        return False


@dataclass(frozen=True, slots=True)
class ServerGroupShape:
    """Server groups: nothing of one can be changed. Their marks stand in names, which tenants can write."""

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``."""
        return ()

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        is_owners = central is None or holding.project_id == text(central, "project_id")
        return "" if is_owners else OTHER_PROJECT

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Nova deletes one with members, too."""
        return False


@dataclass(frozen=True, slots=True)
class ImageShape:
    """Images in a pod's own Glance."""

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``. What is the operator's own, or the centre's, is used as it is."""
        return image_content.difference(central, present) if copy.details.get("is_ours") else ()

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``. Tags are written by owners: the id must be one that a copy may have."""
        ids = image_content.pod_ids(holding.central_id or "")
        if holding.pod_resource_id not in set(ids):
            return NOT_LIKE
        return "" if central is None or central.get("owner") == holding.project_id else OTHER_PROJECT

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Servers and volumes have what they were made of."""
        return False


@dataclass(frozen=True, slots=True)
class VolumeTypeShape:
    """Volume types: as flavors."""

    pod: Pod

    def difference(self, central: Body, copy: Routing, present: Body) -> Collection[str]:
        """See ``compare.Shape``."""
        return volume_types.difference(self.pod, central, copy, present)

    def mismatch(self, central: Body | None, holding: Holding) -> str:
        """See ``compare.Shape``."""
        if central is None:
            return ""
        name = str(holding.body.get("name"))
        return "" if volume_types.central_name(name) == central.get("name") else NOT_LIKE

    def is_in_use(self, holding: Holding) -> bool:
        """See ``compare.Shape``. Cinder deletes no type that volumes have."""
        return False
