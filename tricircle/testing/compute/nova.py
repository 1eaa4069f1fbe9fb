# SPDX-License-Identifier: Apache-2.0
"""What does the fake Nova do? Servers with their ports, volumes and actions; see the modules beside it for the rest."""

import hashlib
import itertools
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from tricircle.testing.block_storage.cinder import Cinder
from tricircle.testing.compute.consoles import ACTIONS as CONSOLE_ACTIONS
from tricircle.testing.compute.consoles import Consoles
from tricircle.testing.compute.declared import Flavors, Keypairs, Quotas
from tricircle.testing.compute.groups import ServerGroups
from tricircle.testing.compute.operators import Aggregates, Services
from tricircle.testing.compute.server_lists import ServerLists
from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, new_id, route
from tricircle.testing.image import Glance
from tricircle.testing.lists import next_href, page
from tricircle.testing.microversions import Microversions, fault
from tricircle.testing.network.neutron import Neutron

VERSIONS = Microversions(word="compute", minimum=(2, 1), maximum=(2, 104), legacy="X-OpenStack-Nova-API-Version")
#: ``vm_state`` by status.
_VM_STATES = {
    "ACTIVE": "active",
    "SHUTOFF": "stopped",
    "SHELVED_OFFLOADED": "shelved_offloaded",
    "DELETED": "deleted",
}


class Nova:
    """The fake compute service of one pod."""

    name = "compute"
    public = re.compile(r"/?|/v2(\.1)?/?")

    def __init__(
        self, neutron: Neutron, cinder: Cinder, glance: Glance, host: str = "canaryhost-1", max_limit: int = 1000
    ) -> None:
        self.neutron = neutron
        self.cinder = cinder
        self.glance = glance
        self.host = host
        self.flavors = Flavors()
        self.keypairs = Keypairs()
        #: Whether this is a Nova without conductor, scheduler and hosts, as at the centre.
        self.is_hostless = False
        self.aggregates = Aggregates(self._hosts)
        self.services = Services(self._hosts, host, neutron.zone)
        self.quotas = Quotas()
        self.quotas.in_use = self._in_use
        self.server_groups = ServerGroups()
        self.servers: dict[str, Json] = {}
        #: Deleted ones, which are still known as markers, and to who asks for changes.
        self.gone: dict[str, Json] = {}
        self.lists = ServerLists(self.servers, self.gone, self._zone, max_limit)
        self.consoles = Consoles(self._get, self.servers, host)
        #: Whether new servers wait for the conductor: accepted and shown, but in no cell, on no host and not counted.
        self.is_conductor_away = False
        self._numbers = itertools.count(1)

    def routes(self) -> Sequence[Route]:
        """Nova's paths behind the version."""
        server = "/servers/{server_id}"
        return [
            route("GET", "/", self._versions),
            *self.flavors.routes(),
            *self.keypairs.routes(),
            *self.aggregates.routes(),
            *self.quotas.routes(),
            *self.server_groups.routes(),
            *self.consoles.routes(),
            route("POST", "/servers", self._create),
            route("GET", "/servers", self._list),
            route("GET", "/servers/detail", self._list),
            route("GET", server, self._show),
            route("PUT", server, self._update),
            route("DELETE", server, self._delete),
            route("POST", f"{server}/action", self._act),
            route("GET", f"{server}/os-interface", self._interfaces),
            route("POST", f"{server}/os-interface", self._plug),
            route("DELETE", f"{server}/os-interface/{{port_id}}", self._unplug),
            route("GET", f"{server}/os-volume_attachments", self._attachments),
            route("POST", f"{server}/os-volume_attachments", self._attach),
            route("DELETE", f"{server}/os-volume_attachments/{{volume_id}}", self._detach),
            route("GET", f"{server}/os-security-groups", self._groups),
            route("GET", "/limits", self._limits),
            route("GET", "/images", self._images),
            route("GET", "/os-availability-zone", self._zones),
            *self.services.routes(),
        ]

    def understand(self, asked: Asked) -> str:
        """The path behind ``/v2.1`` or ``/v2.1/<project id>``."""
        if asked.path == "/":
            return "/"
        VERSIONS.negotiate(asked)
        segments = asked.path.strip("/").split("/")
        rest = segments[1:]
        asked.prefix = f"/{segments[0]}"
        if rest and re.fullmatch(r"[0-9a-f-]{32,36}", rest[0]):
            asked.prefix += f"/{rest.pop(0)}"
        return "/" + "/".join(rest)

    def refuse(self, asked: Asked, refusal: Refusal) -> Said:
        """Nova's form of an error."""
        return fault(asked, refusal)

    def finish(self, asked: Asked, said: Said) -> Said:
        """Version headers."""
        return VERSIONS.mark(asked, said)

    def _versions(self, asked: Asked) -> Said:
        version = {
            "id": "v2.1", "status": "CURRENT", "version": "2.104", "min_version": "2.1",
            "updated": "2013-07-23T11:33:21Z", "links": [{"rel": "self", "href": f"{asked.root}/v2.1/"}],
        }  # fmt: skip
        if asked.path != "/":
            return Said(body={"version": version})
        old = {**version, "id": "v2.0", "status": "DEPRECATED", "version": "", "min_version": ""}
        old["links"] = [{"rel": "self", "href": f"{asked.root}/v2/"}]
        return Said(body={"versions": [old, version]})

    # --- servers ---------------------------------------------------------------------------------------------------

    def _create(self, asked: Asked) -> Said:
        given = asked.part("server")
        flavor = self.flavors.find(asked, str(given.get("flavorRef")))
        if flavor is None:
            raise Refusal(400, f"Flavor {given.get('flavorRef')} could not be found.")
        self._check_names(asked, given)
        ports = self._wanted_ports(asked, given)
        one = {"instances": 1, "cores": flavor["vcpus"], "ram": flavor["ram"]}
        self.quotas.check(asked.caller.project_id, asked.caller.user_id, one)
        server = self._new_server(asked, given, flavor)
        for port_id in ports:
            self.neutron.bind(port_id, server["id"], self.host)
        groups = given.get("security_groups", [{"name": "default"}])
        links = self._links(asked, server["id"])
        body = {"id": server["id"], "links": links, "OS-DCF:diskConfig": "MANUAL", "security_groups": groups,
                "adminPass": new_id()[:12]}  # fmt: skip
        return Said(status=202, body={"server": body}, headers={"Location": links[0]["href"]})

    def _check_names(self, asked: Asked, given: Json) -> None:
        image = given.get("imageRef")
        if image and not self.glance.has(image):
            raise Refusal(400, "Can not find requested image")
        key = given.get("key_name")
        if key and (asked.caller.user_id, key) not in self.keypairs.stored:
            raise Refusal(400, "Invalid key_name provided.")
        zone = given.get("availability_zone")
        if zone and zone.partition(":")[0] not in (self.neutron.zone, *self.aggregates.zone_names()):
            raise Refusal(400, "The requested availability zone is not available")
        for group in given.get("security_groups", []):
            name = group["name"]
            known = self.neutron.resources["security_groups"].values()
            if name != "default" and not any(name in (one["id"], one["name"]) for one in known):
                raise Refusal(400, f"Unable to find security_group with name or id '{name}'")

    def _wanted_ports(self, asked: Asked, given: Json) -> list[str]:
        networks = given.get("networks")
        if networks in (None, "none", "auto"):
            return []
        wanted = [str(one["port"]) for one in networks]
        for port_id in wanted:
            port = self.neutron.find("ports", port_id)
            if port is None or not asked.sees(port["project_id"]):
                raise Refusal(400, f"Port id {port_id} could not be found.")
            if port["device_id"]:
                raise Refusal(409, f"Port {port_id} is still in use.")
        return wanted

    def _new_server(self, asked: Asked, given: Json, flavor: Json) -> Json:
        server = {
            "id": new_id(), "name": given["name"], "status": "BUILD", "metadata": given.get("metadata", {}),
            "key_name": given.get("key_name"), "image": given.get("imageRef"), "user_data": given.get("user_data"),
            "user_id": asked.caller.user_id, "_project": asked.caller.project_id, "_flavor": dict(flavor),
            "_zone": given.get("availability_zone"), "created": _now(), "updated": _now(),
            "_number": next(self._numbers), "_is_queued": self.is_conductor_away,
            "_reservation": f"r-{new_id()[:8]}", "_terminated": None,
            "_devices": [one for one in given.get("block_device_mapping_v2", [])
                         if one.get("destination_type") == "volume" and one["source_type"] != "volume"],
        }  # fmt: skip
        self.servers[server["id"]] = server
        return server

    def _list(self, asked: Asked) -> Said:
        for one in self.servers.values():
            self._settle(one)
        taken, more = page(self.lists.chosen(asked), asked, self.lists.manner())
        is_detail = asked.path.endswith("detail")
        body: Json = {"servers": [self._shown(asked, one, is_detail=is_detail) for one in taken]}
        if more:
            path = asked.prefix + "/servers" + ("/detail" if is_detail else "")
            body["servers_links"] = [{"rel": "next", "href": next_href(asked, path, taken[-1]["id"])}]
        return Said(body=body)

    def _show(self, asked: Asked, server_id: str) -> Said:
        return Said(body={"server": self._shown(asked, self._get(asked, server_id))})

    def _update(self, asked: Asked, server_id: str) -> Said:
        server = self._get(asked, server_id)
        given = asked.part("server")
        if asked.version >= (2, 104) and "pinned_availability_zone" in given:
            self._pin(server, given["pinned_availability_zone"])
        server |= {key: value for key, value in given.items() if key == "name"}
        server["updated"] = _now()
        return Said(body={"server": self._shown(asked, server)})

    def _pin(self, server: Json, zone: str | None) -> None:
        pinned, current = server["_zone"], self._zone(server)
        if zone is not None and pinned is not None and zone != pinned:
            raise Refusal(409, "Cannot change pinned availability zone directly. Unpin first.")
        if zone is not None and pinned is None and zone != current:
            raise Refusal(409, f"Server can only be pinned to its current availability zone '{current}'.")
        server["_current"], server["_zone"] = current, zone

    def _shelve(self, server: Json) -> None:
        server |= {"status": "SHELVED_OFFLOADED", "_current": self._zone(server)}

    def _unshelve(self, asked: Asked, server: Json) -> None:
        if server["status"] != "SHELVED_OFFLOADED":
            raise Refusal(409, f"Cannot 'unshelve' instance {server['id']} while it is in vm_state active")
        value = asked.json()["unshelve"]
        if asked.version >= (2, 77) and value and "availability_zone" in value:
            zone = value["availability_zone"]
            if zone is not None and zone not in (self.neutron.zone, *self.aggregates.zone_names()):
                raise Refusal(400, "The requested availability zone is not available")
            server |= {"_zone": zone, "_current": None}
        server["status"] = "ACTIVE"

    def _delete(self, asked: Asked, server_id: str) -> Said:
        self._get(asked, server_id)
        self.bury(server_id, datetime.now(UTC))
        for port in self._ports(server_id):
            self.neutron.release(port["id"])
        for attachment in [one for one in self.cinder.attachments.values() if one["instance"] == server_id]:
            del self.cinder.attachments[attachment["id"]]
            self.cinder.volumes[attachment["volume_id"]]["status"] = "available"
        return Said(status=204)

    def bury(self, server_id: str, moment: datetime) -> None:
        """A server's end, as far as its own record goes. Who never came to a cell leaves none."""
        server = self.servers.pop(server_id)
        if not server["_is_queued"]:
            dead = {"status": "DELETED", "updated": _time(moment), "_terminated": f"{moment:%Y-%m-%dT%H:%M:%S}.000000"}
            self.gone[server_id] = server | dead

    def _act(self, asked: Asked, server_id: str) -> Said:
        server = self._get(asked, server_id)
        action = next(iter(asked.json()), "")
        moves = {"os-stop": ("stop", "ACTIVE", "SHUTOFF"), "os-start": ("start", "SHUTOFF", "ACTIVE")}
        if action == "createImage" and not server["image"]:
            for volume_id in self._attached(server_id):
                name = {"name": f"snapshot for {asked.part(action).get('name')}"}
                self.cinder.snap(self.cinder.volumes[volume_id], name, server["_project"])
            return Said(status=202, body={"image_id": new_id()})
        if action in CONSOLE_ACTIONS:
            return self.consoles.act(asked, server_id, action)
        if action == "createImage":
            return self._photograph(server, asked)
        if action in moves:
            verb, source, target = moves[action]
            if server["status"] != source:
                state = _VM_STATES.get(server["status"], "building")
                raise Refusal(409, f"Cannot '{verb}' instance {server_id} while it is in vm_state {state}")
            server |= {"status": target, "updated": _now()}
        elif action == "shelve":
            self._shelve(server)
        elif action == "unshelve":
            self._unshelve(asked, server)
        elif action in ("addSecurityGroup", "removeSecurityGroup"):
            self._regroup(asked, server_id, action)
        elif action not in ("reboot", "confirmResize"):
            raise Refusal(400, f"There is no such action: {action}")
        return Said(status=202)

    def _regroup(self, asked: Asked, server_id: str, action: str) -> None:
        """A group is found by its id, or in the caller's project by its name."""
        name, project_id = asked.part(action).get("name"), asked.caller.project_id
        seen = self.neutron.groups_seen(asked)
        found = [name] if name in seen else []
        found += [one["id"] for one in seen.values() if (one["name"], one["project_id"]) == (name, project_id)]
        if not found:
            raise Refusal(404, f"Security group {name} is not found for project {project_id}")
        for port in self._ports(server_id):
            others = [one for one in port["security_groups"] if one != found[0]]
            port["security_groups"] = [*others, found[0]] if action == "addSecurityGroup" else others

    def _photograph(self, server: Json, asked: Asked) -> Said:
        """An image of a server, ready at once."""
        wanted = asked.part("createImage")
        facts = {"instance_uuid": server["id"], "base_image_ref": server["image"], "image_type": "snapshot"}
        formats = {"disk_format": "raw", "container_format": "bare", "visibility": "private"}
        image = {**facts, **formats, **(wanted.get("metadata") or {}), "name": wanted["name"]}
        return Said(status=202, body={"image_id": self.glance.put(image, b"snapshot", server["_project"])})

    def conduct(self) -> None:
        """Let all servers that wait be built."""
        self.is_conductor_away = False
        for server in self.servers.values():
            server["_is_queued"] = False

    def _host_id(self, project_id: str) -> str:
        return hashlib.sha224((project_id + self.host).encode()).hexdigest()

    # --- interfaces, volumes, groups -------------------------------------------------------------------------------

    def _interfaces(self, asked: Asked, server_id: str) -> Said:
        self._get(asked, server_id)
        shown = [_interface(port) for port in self._ports(server_id)]
        return Said(body={"interfaceAttachments": shown})

    def _plug(self, asked: Asked, server_id: str) -> Said:
        server = self._get(asked, server_id)
        (port_id,) = self._wanted_ports(asked, {"networks": [{"port": asked.part("interfaceAttachment")["port_id"]}]})
        if self.neutron.resources["ports"][port_id]["project_id"] != server["_project"]:
            raise Refusal(400, f"Port {port_id} not usable for instance {server_id}.")
        self.neutron.bind(port_id, server_id, self.host)
        return Said(body={"interfaceAttachment": _interface(self.neutron.resources["ports"][port_id])})

    def _unplug(self, asked: Asked, server_id: str, port_id: str) -> Said:
        self._get(asked, server_id)
        if port_id not in {port["id"] for port in self._ports(server_id)}:
            raise Refusal(404, f"Port {port_id} not found")
        self.neutron.release(port_id)
        return Said(status=202)

    def _attachments(self, asked: Asked, server_id: str) -> Said:
        self._get(asked, server_id)
        mine = [one for one in self.cinder.attachments.values() if one["instance"] == server_id]
        shown = [{"id": one["volume_id"], "volumeId": one["volume_id"], "serverId": server_id, "device": "/dev/vdb"}
                 for one in mine]  # fmt: skip
        return Said(body={"volumeAttachments": shown})

    def _attach(self, asked: Asked, server_id: str) -> Said:
        server = self._get(asked, server_id)
        volume_id = str(asked.part("volumeAttachment").get("volumeId"))
        if volume_id not in self.cinder.volumes:
            raise Refusal(404, f"Volume {volume_id} could not be found.")
        self.cinder.attach(volume_id, server_id, server["_project"])
        self.cinder.volumes[volume_id]["status"] = "in-use"
        shown = {"id": volume_id, "volumeId": volume_id, "serverId": server_id, "device": "/dev/vdb"}
        return Said(body={"volumeAttachment": shown})

    def _detach(self, asked: Asked, server_id: str, volume_id: str) -> Said:
        self._get(asked, server_id)
        for one in list(self.cinder.attachments.values()):
            if (one["instance"], one["volume_id"]) == (server_id, volume_id):
                del self.cinder.attachments[one["id"]]
                self.cinder.volumes[volume_id]["status"] = "available"
                return Said(status=202)
        raise Refusal(404, f"Instance {server_id} is not attached to volume {volume_id}")

    def _groups(self, asked: Asked, server_id: str) -> Said:
        self._get(asked, server_id)
        ids = {group for port in self._ports(server_id) for group in port["security_groups"]}
        known = self.neutron.groups_seen(asked)
        shown = [{"id": one, "name": known[one]["name"], "description": known[one]["description"], "rules": []}
                 for one in sorted(ids & known.keys())]  # fmt: skip
        return Said(body={"security_groups": shown})

    # --- limits, images, zones -------------------------------------------------------------------------------------

    def _limits(self, asked: Asked) -> Said:
        project = asked.one("tenant_id") or asked.caller.project_id
        if asked.one("tenant_id") is not None:
            asked.need_admin("os_compute_api:limits:other_project")
        limits = self.quotas.of(project)
        used = self._in_use(project)
        absolute = {
            "maxTotalInstances": limits["instances"], "maxTotalCores": limits["cores"],
            "maxTotalRAMSize": limits["ram"], "totalInstancesUsed": used["instances"],
            "totalCoresUsed": used["cores"], "totalRAMUsed": used["ram"],
        }  # fmt: skip
        return Said(body={"limits": {"rate": [], "absolute": absolute}})

    def _in_use(self, project: str, user_id: str | None = None) -> dict[str, int]:
        counted = [one for one in self.servers.values() if one["_project"] == project and not one["_is_queued"]]
        mine = [one["_flavor"] for one in counted if user_id in (None, one["user_id"])]
        sizes = {"cores": sum(one["vcpus"] for one in mine), "ram": sum(one["ram"] for one in mine)}
        return {"instances": len(mine), **sizes}

    def _images(self, asked: Asked) -> Said:
        if asked.version > (2, 35):
            raise Refusal(404, "The resource could not be found.")
        return Said(body={"images": [{"id": one, "links": []} for one in self.glance.active()]})

    def _zones(self, asked: Asked) -> Said:
        names = [self.neutron.zone, *self.aggregates.zone_names()]
        zones = [{"zoneName": name, "zoneState": {"available": True}, "hosts": None} for name in names]
        return Said(body={"availabilityZoneInfo": zones})

    def _hosts(self) -> Sequence[str]:
        return () if self.is_hostless else (self.host,)

    # --- small things ----------------------------------------------------------------------------------------------

    def _get(self, asked: Asked, server_id: str) -> Json:
        server = self.servers.get(server_id)
        if server is None or not asked.sees(server["_project"]):
            raise Refusal(404, f"Instance {server_id} could not be found.")
        return self._settle(server)

    def _settle(self, server: Json) -> Json:
        # What was begun is done by the time somebody looks again.
        if server["status"] == "BUILD" and not server["_is_queued"]:
            server["status"] = "ACTIVE"
            for device in server["_devices"]:
                made = self.cinder.build(device, (server["user_id"], server["_project"]))
                self.cinder.attach(made["id"], server["id"], server["_project"])
        return server

    def _attached(self, server_id: str) -> list[str]:
        return [one["volume_id"] for one in self.cinder.attachments.values() if one["instance"] == server_id]

    def _ports(self, server_id: str) -> list[Json]:
        return [one for one in self.neutron.resources["ports"].values() if one["device_id"] == server_id]

    def _links(self, asked: Asked, server_id: str) -> list[Json]:
        project = asked.prefix.split("/", 2)[2:]
        bookmark = "/".join([asked.root, *project, "servers", server_id])
        return [
            {"rel": "self", "href": f"{asked.root}{asked.prefix}/servers/{server_id}"},
            {"rel": "bookmark", "href": bookmark},
        ]

    def _zone(self, server: Json) -> str:
        # Where it is does not change by what it is held to.
        asked: str | None = server["_zone"] or server.get("_current")
        return asked if asked and asked in self.aggregates.zone_names() else self.neutron.zone

    def _shown(self, asked: Asked, server: Json, *, is_detail: bool = True) -> Json:
        links = self._links(asked, server["id"])
        if not is_detail:
            return {"id": server["id"], "name": server["name"], "links": links}
        flavor, ports = server["_flavor"], self._ports(server["id"])
        shown = {key: value for key, value in server.items() if not key.startswith("_") and key != "user_data"}
        shown |= {
            "links": links, "tenant_id": server["_project"], "addresses": self._addresses(ports),
            "hostId": "" if server["_is_queued"] else self._host_id(server["_project"]),
            "OS-EXT-AZ:availability_zone": self._zone(server), "accessIPv4": "", "accessIPv6": "", "config_drive": "",
            "OS-EXT-STS:vm_state": _VM_STATES.get(server["status"], "building"),
            "OS-SRV-USG:terminated_at": server.get("_terminated"),
            "OS-DCF:diskConfig": "MANUAL", "OS-EXT-STS:power_state": 1,
            "OS-EXT-STS:task_state": "scheduling" if server["_is_queued"] else None,
            "os-extended-volumes:volumes_attached": [{"id": one} for one in self._attached(server["id"])],
        }  # fmt: skip
        image = {"rel": "bookmark", "href": f"{asked.root}/images/{server['image']}"}
        shown["image"] = {"id": server["image"], "links": [image]} if server["image"] else ""
        bookmark = {"rel": "bookmark", "href": f"{asked.root}/flavors/{flavor['id']}"}
        shown["flavor"] = {"id": flavor["id"], "links": [bookmark]}
        if asked.version >= (2, 47):
            shown["flavor"] = {"original_name": flavor["name"], "vcpus": flavor["vcpus"], "ram": flavor["ram"],
                               "disk": flavor["disk"], "ephemeral": 0, "swap": 0, "extra_specs": {}}  # fmt: skip
        known = self.neutron.groups_seen(asked)
        groups = {group for port in ports for group in port["security_groups"]} & known.keys()
        if groups:
            shown["security_groups"] = [{"name": known[group]["name"]} for group in sorted(groups)]
        if asked.version >= (2, 96):
            shown["pinned_availability_zone"] = server["_zone"]
        if asked.caller.is_admin:
            shown |= {"OS-EXT-SRV-ATTR:host": self.host, "OS-EXT-SRV-ATTR:hypervisor_hostname": self.host}
            if asked.version >= (2, 3):
                shown["OS-EXT-SRV-ATTR:reservation_id"] = server["_reservation"]
        return shown

    def _addresses(self, ports: Sequence[Json]) -> Json:
        made: Json = {}
        for port in ports:
            label = self.neutron.resources["networks"][port["network_id"]]["name"]
            made.setdefault(label, []).extend(
                {"version": 4, "addr": ip["ip_address"], "OS-EXT-IPS:type": "fixed",
                 "OS-EXT-IPS-MAC:mac_addr": port["mac_address"]}
                for ip in port["fixed_ips"]
            )  # fmt: skip
        return made


def _interface(port: Json) -> Json:
    return {"port_id": port["id"], "net_id": port["network_id"], "mac_addr": port["mac_address"],
            "port_state": port["status"], "fixed_ips": port["fixed_ips"]}  # fmt: skip


def _now() -> str:
    return _time(datetime.now(UTC))


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
