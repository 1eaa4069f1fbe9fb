# SPDX-License-Identifier: Apache-2.0
"""Which actions on a server need more than being passed on, and what?

The action is the only key of the body. Those that name something declared need its copy in the pod first; those that
name an AZ need it translated; those that end the server look after its ports. All others go as they are.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from tricircle.doors.compute.boots.places import host_in
from tricircle.doors.compute.declared.lookups import Declared
from tricircle.doors.compute.needs import FlavorCopies, KeypairCopies, ServerStorage
from tricircle.doors.compute.pod_faults import refused
from tricircle.doors.compute.proxies.address_actions import AddressActions
from tricircle.doors.compute.quotas.amounts import one_of
from tricircle.doors.compute.quotas.quota import Quota
from tricircle.doors.compute.rehearsal import (
    is_since,
    refused_as_it_is,
    rehearse_on_server,
)
from tricircle.doors.compute.servers import plugs
from tricircle.doors.compute.servers.consoles import ACTIONS, ConsoleCalls
from tricircle.doors.compute.servers.group_actions import ADD, REMOVE, GroupActions
from tricircle.doors.compute.servers.item_limits import ItemLimits
from tricircle.doors.compute.servers.plugs import Plugs
from tricircle.doors.compute.servers.server_images import ServerImages
from tricircle.doors.compute.servers.server_views import SERVER
from tricircle.doors.compute.servers.servers import ServerEnds
from tricircle.doors.compute.servers.sizes import Sizes
from tricircle.doors.compute.servers.unshelving import Unshelving
from tricircle.errors import InvalidRequestError, NotFoundError, QuotaExceededError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.carrier import Carrier
from tricircle.road.route import Located
from tricircle.road.row import Row
from tricircle.upstream.reply import Reply

Document = dict[str, object]
Special = Callable[[Request, Document], Awaitable[Answer]]

#: Deprecated ways to change addresses past the network service (up to 2.43).
_ADDRESSES = ("addFixedIp", "removeFixedIp", "addFloatingIp", "removeFloatingIp")


class ServerActions:
    """``POST /servers/{server_id}/action``.

    :param row: the row itself, for what is only passed on
    :param image_base: where users find images: public endpoint, door prefix and version, no slash at the end
    """

    def __init__(
        self,
        *,
        carrier: Carrier,
        row: Row,
        image_base: str,
        groups: GroupActions,
        consoles: ConsoleCalls,
        addresses: AddressActions,
        ends: ServerEnds,
        declared: Declared,
        flavors: FlavorCopies,
        keypairs: KeypairCopies,
        quota: Quota,
        items: ItemLimits,
        sizes: Sizes,
        storage: ServerStorage,
        unshelving: Unshelving,
        images: ServerImages,
        plugs: Plugs,
    ) -> None:
        self._carrier = carrier
        self._row = row
        self._image_base = image_base
        self._groups = groups
        self._consoles = consoles
        self._ends = ends
        self._declared = declared
        self._flavors = flavors
        self._keypairs = keypairs
        self._quota = quota
        self._items = items
        self._sizes = sizes
        self._storage = storage
        self._unshelving = unshelving
        self._images = images
        self._plugs = plugs
        self._special: Mapping[str, Special] = {
            ADD: self._change_groups,
            REMOVE: self._change_groups,
            "forceDelete": self._end,
            "resize": self._resize,
            "revertResize": self._revert,
            "confirmResize": self._stay,
            "migrate": self._migrate,
            "os-migrateLive": self._move,
            "evacuate": self._move,
            "restore": self._restore,
            "rebuild": self._rebuild,
            "unshelve": self._unshelving.act,
            "createImage": self._create_image,
            "createBackup": self._create_image,
            **dict.fromkeys(ACTIONS, self._console),
            "rescue": self._rescue,
            "shelve": self._shelve,
            **dict.fromkeys(_ADDRESSES, addresses.act),
        }

    async def act(self, request: Request) -> Answer:
        """Carry out whatever action the body names."""
        document = await _action_of(request)
        action = next(iter(document), "")
        answer = await self._carried_out(request, document, action)
        if answer.status < 300 and action in plugs.ACTIONS:
            await self._plugs.look(request)
        return answer

    async def _carried_out(self, request: Request, document: Document, action: str) -> Answer:
        special = self._special.get(action)
        if special is None:
            return await self._carrier.route(request, self._row)
        try:
            return await special(request, document)
        except (InvalidRequestError, QuotaExceededError):
            pod = await self._pod(request)
            if (earlier := await refused_as_it_is(self._carrier, request, pod, document)) is not None:
                return earlier
            raise

    async def _change_groups(self, request: Request, document: Document) -> Answer:
        return await self._groups.change(request, document, next(iter(document)))

    async def _console(self, request: Request, _document: Document) -> Answer:
        return await self._consoles.act(request)

    async def _end(self, request: Request, _document: Document) -> Answer:
        return await self._ends.end(request, self._row)

    async def _resize(self, request: Request, document: Document) -> Answer:
        located, server_id = await self._locate(request), request.params["server_id"]
        if (refusal := await rehearse_on_server(self._carrier, request, document)) is not None:
            return refusal
        context, asked, pod = request.context, document["resize"], located.pod
        resize = dict(asked) if isinstance(asked, Mapping) else {}
        flavor = await self._declared.flavor(context, str(resize.get("flavorRef", "")), context.deadline)
        old = await self._quota.size(context, pod, server_id)
        share = await self._quota.take_growth(context, located, old, one_of(flavor))
        async with share.hold:
            resize["flavorRef"] = await self._flavors.ensure(
                pod, flavor, project_id=context.project_id, deadline=context.deadline
            )
            reply = await share.send(self._carrier.to_pod(request, pod, body={"resize": resize}), server_id)
        if reply.status < 300 and old is not None:
            await self._sizes.note(located, server_id, old)
        return await self._said(request, pod, reply)

    async def _revert(self, request: Request, document: Document) -> Answer:
        """Undo a resize. As in Nova, a server that had been made smaller may find no room for its former size."""
        located, server_id = await self._locate(request), request.params["server_id"]
        context, pod = request.context, located.pod
        former = await self._sizes.before(located)
        now = None if former is None else await self._quota.size(context, pod, server_id, status="VERIFY_RESIZE")
        share = await self._quota.take_growth(context, located, now, former)
        async with share.hold:
            reply = await share.send(self._carrier.to_pod(request, pod, body=document), server_id)
        return await self._said(request, pod, reply)

    async def _move(self, request: Request, document: Document) -> Answer:
        """What may name a host. A server does not change pods."""
        pod = await self._pod(request)
        return await self._forward(request, pod, {name: host_in(pod, asked) for name, asked in document.items()})

    async def _migrate(self, request: Request, document: Document) -> Answer:
        answer = await self._move(request, document)
        if answer.status < 300:
            await self._sizes.forget(await self._locate(request))
        return answer

    async def _stay(self, request: Request, _document: Document) -> Answer:
        """What makes a former size meaningless: the resize is confirmed."""
        located = await self._locate(request)
        answer = await self._carrier.route(request, self._row)
        if answer.status < 300:
            await self._sizes.forget(located)
        return answer

    async def _restore(self, request: Request, document: Document) -> Answer:
        located, server_id = await self._locate(request), request.params["server_id"]
        share, pod = await self._quota.take_back(request.context, located, server_id), located.pod
        async with share.hold:
            reply = await share.send(self._carrier.to_pod(request, pod, body=document), server_id)
        return await self._said(request, pod, reply)

    async def _rebuild(self, request: Request, document: Document) -> Answer:
        """A new image, and from 2.54 on perhaps a new key."""
        pod = await self._pod(request)
        asked = document["rebuild"]
        name = asked.get("key_name") if isinstance(asked, Mapping) else None
        if isinstance(name, str) and is_since(request, (2, 54)):
            if (refusal := await rehearse_on_server(self._carrier, request, document)) is not None:
                return refusal
            keypair = await self._declared.keypair(request.context, name, request.context.deadline)
            await self._keypairs.ensure(pod, request.context, keypair, request.context.deadline)
        await self._items.check_server(request.context, asked)
        return await self._forward(request, pod, await self._images.prepared(request.context, pod, document))

    async def _rescue(self, request: Request, document: Document) -> Answer:
        """Perhaps from an image of the user's choice."""
        pod = await self._pod(request)
        return await self._forward(request, pod, await self._images.prepared(request.context, pod, document))

    async def _shelve(self, request: Request, document: Document) -> Answer:
        """The pod makes an image of the server."""
        pod = await self._pod(request)
        reply = await self._carrier.to_pod(request, pod, body=document)
        await self._images.made(request.context, pod, request.params["server_id"], document=document, reply=reply)
        return await self._said(request, pod, reply)

    async def _create_image(self, request: Request, document: Document) -> Answer:
        """Below 2.45 the new image's id is only in a ``Location`` that is the pod's."""
        pod = await self._pod(request)
        await self._items.check_image(request.context, next(iter(document.values())))
        async with await self._storage.take_image(request.context, pod, request.params["server_id"]) as hold:
            reply = await hold.send(self._carrier.to_pod(request, pod, body=document))
        if reply.status >= 300:
            return await refused(self._carrier, request, pod, reply)
        await self._images.made(request.context, pod, request.params["server_id"], document=document, reply=reply)
        reply.headers = [
            (name, self._image_url(value) if name == b"location" else value) for name, value in reply.headers
        ]
        return await self._carrier.answer(request, pod, reply)

    def _image_url(self, location: bytes) -> bytes:
        image_id = urlsplit(location.decode("latin-1")).path.rsplit("/", 1)[-1]
        return f"{self._image_base}/images/{image_id}".encode()

    async def _forward(self, request: Request, pod: Pod, document: Document) -> Answer:
        return await self._said(request, pod, await self._carrier.to_pod(request, pod, body=document))

    async def _said(self, request: Request, pod: Pod, reply: Reply) -> Answer:
        if reply.status >= 300:
            return await refused(self._carrier, request, pod, reply)
        return await self._carrier.answer(request, pod, reply, singular="server", shape=SERVER)

    async def _pod(self, request: Request) -> Pod:
        return (await self._locate(request)).pod

    async def _locate(self, request: Request) -> Located:
        return await self._carrier.locate(Kind.SERVER, request.params["server_id"], request.context)


async def _action_of(request: Request) -> Document:
    """The body; empty when there is none.

    :raises NotFoundError: JSON that cannot be looked into for the name of an action, as Nova takes it
    :raises InvalidRequestError: it is otherwise no object
    """
    body = await request.body()
    try:
        return await request.json() if body else {}
    except InvalidRequestError as error:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = msgspec.json.decode(body)
            if not isinstance(value, str | list) or len(value) == 1:
                raise NotFoundError("The resource could not be found.") from error
        raise
