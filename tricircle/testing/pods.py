# SPDX-License-Identifier: Apache-2.0
"""What is one fake pod? Its services in one ASGI app, each below a prefix of its own."""

from collections.abc import Iterable, Mapping

from tricircle.testing.ailments import Ailment
from tricircle.testing.block_storage.cinder import Cinder
from tricircle.testing.compute.nova import Nova
from tricircle.testing.identities import Identities
from tricircle.testing.image import Glance
from tricircle.testing.network.neutron import Neutron
from tricircle.testing.placement import Placement
from tricircle.testing.service import FakeService, Receive, Scope, Send

#: Service type -> prefix in a fake pod's app.
PREFIXES: Mapping[str, str] = {
    "compute": "/compute",
    "block-storage": "/volume",
    "network": "/network",
    "image": "/image",
    "placement": "/placement",
}


class FakePod:
    """One pod in memory; an ASGI app.

    :param region: the Keystone region it stands for
    :param identities: who may come in; shared with the fake Keystone and the other pods
    :param zone: its one availability zone
    :param max_limit: most servers or volumes in a page
    :param is_ideal: as in ``lists.Manner``
    :param glance: another pod's image service, for the topology with one Glance for all
    """

    def __init__(
        self,
        region: str,
        identities: Identities,
        *,
        zone: str = "nova",
        max_limit: int = 1000,
        glance: Glance | None = None,
        is_ideal: bool = False,
    ) -> None:
        self.region = region
        self.glance = glance or Glance()
        self.neutron = Neutron(zone)
        self.cinder = Cinder(zone, max_limit=max_limit)
        self.cinder.has_image = self.glance.has
        self.nova = Nova(self.neutron, self.cinder, self.glance, max_limit=max_limit)
        self.nova.lists.is_ideal = is_ideal
        self.placement = Placement(self.nova)
        speakers = (self.nova, self.cinder, self.neutron, self.glance, self.placement)
        self.services = {one.name: FakeService(one, identities, PREFIXES[one.name]) for one in speakers}

    def fall_ill(self, ailment: Ailment | None, services: Iterable[str] = tuple(PREFIXES)) -> None:
        """Give services an illness, or make them well again with None."""
        for name in services:
            self.services[name].ailment = ailment

    def calls(self, service: str) -> list[tuple[str, str]]:
        """(verb, path) of all that a service was asked, in order."""
        return list(self.services[service].calls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the service whose prefix it has."""
        path = str(scope["path"])
        for service in self.services.values():
            if path == service.prefix or path.startswith(service.prefix + "/"):
                await service(scope, receive, send)
                return
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})
