# SPDX-License-Identifier: Apache-2.0
"""How is one more of a thing made on one side, for requests that end or spoil it?"""

from collections.abc import Callable

from tests.functional.region_world import Caller
from tests.fuzz.world import World, until


class Spares:
    """Makers of things of the world's tenant, by kind."""

    def __init__(self, world: World) -> None:
        self._world = world
        tenant = world.tenant
        self._sides = (tenant.here, tenant.inside["Pod1"])
        self._makers: dict[str, Callable[[Caller, int], str]] = {
            "server": self._server,
            "volume": self._volume,
            "image": self._image,
            "active-image": self._active_image,
            "shared-image": self._shared_image,
            "port": self._port,
            "server-group": self._server_group,
        }

    def make(self, kind: str, place: int) -> str:
        """The id of a new one, once it is as its users need it."""
        return self._makers[kind](self._sides[place], place)

    def _server(self, caller: Caller, place: int) -> str:
        spelled = self._world.spelled
        body = {
            "name": "victim",
            "flavorRef": spelled("@flavor", place),
            "imageRef": spelled("@image", place),
            "networks": "none",
            "availability_zone": spelled("@zone", place),
        }
        made = str(caller.make("compute", "servers", "server", **body)["id"])
        until(caller, "compute", f"/servers/{made}", "server", "ACTIVE")
        return made

    def _volume(self, caller: Caller, place: int) -> str:
        body = {"size": 1, "name": "victim-volume", "availability_zone": self._world.spelled("@zone", place)}
        made = str(caller.make("block-storage", "volumes", "volume", **body)["id"])
        until(caller, "block-storage", f"/volumes/{made}", "volume", "available")
        return made

    def _image(self, _caller: Caller, _place: int) -> str:
        return self._world.image()

    def _active_image(self, _caller: Caller, _place: int) -> str:
        """With data; both services have one and the same Glance behind them."""
        made = self._world.image()
        binary = {"Content-Type": "application/octet-stream"}
        answer = self._world.tenant.here("PUT", "image", f"/images/{made}/file", b"data", headers=binary)
        assert answer.status_code == 204, answer.text
        return made

    def _shared_image(self, _caller: Caller, _place: int) -> str:
        """With the other project as its member."""
        made = self._world.image()
        member = {"member": self._world.stranger.project_id}
        self._world.tenant.here.good("POST", "image", f"/images/{made}/members", member)
        return made

    def _port(self, caller: Caller, place: int) -> str:
        network_id = self._world.spelled("@network", place)
        return str(caller.make("network", "ports", "port", network_id=network_id)["id"])

    def _server_group(self, caller: Caller, place: int) -> str:
        name = self._world.spelled("@unique", place)
        body = {"name": name, "policy": "anti-affinity"}
        return str(caller.make("compute", "os-server-groups", "server_group", **body)["id"])
