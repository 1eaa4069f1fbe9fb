# SPDX-License-Identifier: Apache-2.0
"""What happens to servers and everything below them? Rows."""

from collections.abc import Iterator
from dataclasses import dataclass

from tricircle.doors.compute.operators.operator_views import MIGRATION
from tricircle.doors.compute.row_forms import bound, of_server, with_handler
from tricircle.doors.compute.servers.attachments import Attachments
from tricircle.doors.compute.servers.consoles import LOOK_RULE, ConsoleCalls
from tricircle.doors.compute.servers.departures import Departures
from tricircle.doors.compute.servers.group_actions import GroupActions
from tricircle.doors.compute.servers.interfaces import Interfaces
from tricircle.doors.compute.servers.item_limits import ItemLimits
from tricircle.doors.compute.servers.pinning import Pinning
from tricircle.doors.compute.servers.server_actions import ServerActions
from tricircle.doors.compute.servers.server_lists import BRIEF, DETAILED, ServerLists
from tricircle.doors.compute.servers.server_views import INSTANCE_ACTION, INTERFACE, SERVER
from tricircle.doors.compute.servers.servers import ServerEnds, Servers
from tricircle.model.routing import Kind
from tricircle.road.row import Behaviour, Row

#: Where Nova's second name for servers ends.
_BOOT_END = "2.102"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpecials:
    """The special cases of servers."""

    servers: Servers
    lists: ServerLists
    departures: Departures
    ends: ServerEnds
    actions: ServerActions
    groups: GroupActions
    interfaces: Interfaces
    attachments: Attachments
    items: ItemLimits
    pinning: Pinning
    consoles: ConsoleCalls


def action_row() -> Row:
    """``POST /servers/{server_id}/action`` as it is when nothing is special about an action."""
    return of_server(("POST",), "/servers/{server_id}/action")


def server_rows(specials: ServerSpecials) -> Iterator[Row]:
    """``/servers``, and ``/os-volumes_boot``, which is another name for it."""
    for base, last in (("/servers", None), ("/os-volumes_boot", _BOOT_END)):
        one = base + "/{server_id}"
        yield Row(("POST",), base, Behaviour.PLACE, handler=specials.servers.create, max_version=last)
        for path, listing in ((base, BRIEF), (base + "/detail", DETAILED)):
            plain = Row(
                ("GET",),
                path,
                Behaviour.GATHER,
                kind=Kind.SERVER,
                collection="servers",
                detail_path="/servers/detail",
                listing=listing,
                shape=SERVER,
                max_version=last,
            )
            yield with_handler(plain, bound(specials.lists.gather, plain))
        shown = of_server(("GET",), one, singular="server", shape=SERVER, max_version=last)
        yield with_handler(shown, bound(specials.departures.show, shown))
        changed = of_server(("PUT",), one, singular="server", shape=SERVER, max_version=last)
        yield with_handler(changed, bound(specials.pinning.update, changed))
        gone = of_server(("DELETE",), one, max_version=last)
        yield with_handler(gone, bound(specials.ends.end, gone))
        yield with_handler(of_server(("POST",), one + "/action", max_version=last), specials.actions.act)
    yield from _below(specials)


def _below(specials: ServerSpecials) -> Iterator[Row]:
    below = "/servers/{server_id}"
    interfaces, attachments = specials.interfaces, specials.attachments
    interface = f"{below}/os-interface"
    yield of_server(("GET",), interface, collection="interfaceAttachments", shape=INTERFACE)
    yield with_handler(of_server(("POST",), interface), interfaces.attach)
    yield with_handler(of_server(("GET",), interface + "/{port_id}"), interfaces.show)
    yield with_handler(of_server(("DELETE",), interface + "/{port_id}"), interfaces.detach)
    attachment = f"{below}/os-volume_attachments"
    yield of_server(("GET",), attachment)
    attach = of_server(("POST",), attachment)
    yield with_handler(attach, bound(attachments.attach, attach))
    yield of_server(("GET", "DELETE"), attachment + "/{volume_id}")
    swap = of_server(("PUT",), attachment + "/{volume_id}")
    yield with_handler(swap, bound(attachments.attach, swap))
    yield with_handler(of_server(("GET",), f"{below}/os-security-groups"), specials.groups.show)
    actions = f"{below}/os-instance-actions"
    yield of_server(("GET",), actions, collection="instanceActions", shape=INSTANCE_ACTION)
    yield of_server(("GET",), actions + "/{request_id}", singular="instanceAction", shape=INSTANCE_ACTION)
    yield of_server(("GET",), f"{below}/metadata")
    yield of_server(("GET", "DELETE"), below + "/metadata/{key}")
    for change in (
        of_server(("POST", "PUT"), f"{below}/metadata"),
        of_server(("PUT",), below + "/metadata/{key}"),
    ):
        yield with_handler(change, bound(specials.items.change, change))
    yield of_server(("GET", "PUT", "DELETE"), f"{below}/tags")
    yield of_server(("GET", "PUT", "DELETE"), below + "/tags/{tag}")
    yield of_server(("GET",), f"{below}/migrations", collection="migrations", shape=MIGRATION)
    one = below + "/migrations/{migration_id}"
    yield of_server(("GET", "DELETE"), one, singular="migration", shape=MIGRATION)
    yield of_server(("POST",), below + "/migrations/{migration_id}/action")
    yield of_server(("GET", "DELETE"), f"{below}/os-server-password")
    yield of_server(("GET", "POST"), f"{below}/shares")
    yield of_server(("GET", "DELETE"), below + "/shares/{share_id}")
    yield of_server(("GET", "POST"), f"{below}/consoles")
    yield of_server(("GET", "DELETE"), below + "/consoles/{console_id}")
    for path in ("diagnostics", "ips", "ips/{label}", "os-virtual-interfaces", "topology"):
        yield of_server(("GET",), f"{below}/{path}")
    yield Row(
        ("POST",), f"{below}/remote-consoles", Behaviour.ROUTE, handler=specials.consoles.create, min_version="2.6"
    )
    look = specials.consoles.show_token
    yield Row(("GET",), "/os-console-auth-tokens/{token}", Behaviour.ROUTE, handler=look, policy=LOOK_RULE)
