# SPDX-License-Identifier: Apache-2.0
"""How are volumes and snapshots listed and made through the compute API (up to 2.35)?

They are made by what makes them at the block-storage door, with its choice of a pod and its limits; here only the words
of one API become those of the other.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from tricircle.doors.compute.operators.machines import items_in
from tricircle.errors import BadUpstreamAnswerError, InvalidRequestError
from tricircle.http.message import Answer, Handler, Request
from tricircle.road.carrier import Carrier
from tricircle.road.needs import Authorises
from tricircle.road.row import Row

Document = Mapping[str, object]
#: The version of the block-storage API that knows all that this one does.
_VERSION = (3, 0)
#: Nova's and Cinder's names of the same things, in what is asked.
_ASKED = {"display_name": "name", "display_description": "description"}
_VOLUME_FIELDS = ("size", "volume_type", "metadata", "snapshot_id", "availability_zone", *_ASKED)
_SNAPSHOT_FIELDS = ("volume_id", "force", *_ASKED)
_LONGEST_PAGE = 1000
_DIGITS = re.compile(r"[0-9]{1,9}\Z")


class StorageProxies:
    """``/os-volumes`` and ``/os-snapshots``, lists and creation.

    Who may is asked of Nova's rules after the form, as Nova does; the block-storage service then asks its own.

    :param volume: what the block-storage door does for ``POST /volumes``
    :param snapshot: the same for ``POST /snapshots``
    """

    def __init__(self, *, carrier: Carrier, policies: Authorises, volume: Handler, snapshot: Handler) -> None:
        self._carrier = carrier
        self._policies = policies
        self._make_volume = volume
        self._make_snapshot = snapshot

    async def index(self, request: Request, row: Row) -> Answer:
        """Those of all pods, newest first, cut as Nova does by ``offset`` and ``limit``."""
        pairs = request.query_pairs()
        bounds = {name: value for name, value in pairs if name in ("limit", "offset")}
        is_good = all(_DIGITS.match(value) for value in bounds.values())
        kept = [(name, value) for name, value in pairs if not is_good or name not in bounds]
        fan = await self._carrier.fan_out(request, query=urlencode(kept).encode())
        if fan.refusal is not None:
            return await self._carrier.answer(request, *fan.refusal)
        key = row.collection or ""
        good = [(pod, reply) for pod, reply in fan.replies if reply.status < 300]
        items = [(pod, item) for pod, reply in good for item in items_in(reply.json(), key)]
        shown = await self._carrier.shaped_items(items, row.shape, request.context)
        shown.sort(key=lambda item: str(item.get("createdAt")), reverse=True)
        start = int(bounds.get("offset", 0))
        limit = min(int(bounds.get("limit", 0)) or _LONGEST_PAGE, _LONGEST_PAGE)
        return Answer.json(200, {key: shown[start : start + limit]}, self._carrier.incomplete(request, fan.lacking))

    async def create_volume(self, request: Request) -> Answer:
        """A new volume. :raises InvalidRequestError: in Nova's words; and whatever the block-storage door says"""
        asked = _part(await request.json(), "volume", _VOLUME_FIELDS)
        if "size" not in asked:
            raise InvalidRequestError("Invalid input for field/attribute volume. 'size' is a required property")
        size = asked["size"]
        if isinstance(size, bool) or not _DIGITS.match(str(size)) or int(str(size)) < 1:
            raise InvalidRequestError(f"Invalid input for field/attribute size. Value: {size}. It must be above 0.")
        _check_texts(asked, ("volume_type", "snapshot_id", "availability_zone", *_ASKED))
        if "metadata" in asked and not isinstance(asked["metadata"], Mapping):
            raise InvalidRequestError(_not_type("metadata", asked["metadata"], "object"))
        self._policies.authorize(request.context, "os_compute_api:os-volumes:create")
        body = {"volume": {**_renamed(asked), "size": int(str(size))}}
        answer = await self._make_volume(_for_storage(request, "/volumes", body))
        made = _made(answer, "volume")
        if made is None:
            return answer
        headers = [(b"location", f"{self._carrier.link(request.path)}/{made.get('id')}".encode())]
        return Answer.json(200, {"volume": volume_view(made)}, headers)

    async def create_snapshot(self, request: Request) -> Answer:
        """A new snapshot, in the pod of its volume. :raises InvalidRequestError: in Nova's words"""
        asked = _part(await request.json(), "snapshot", _SNAPSHOT_FIELDS)
        if "volume_id" not in asked:
            raise InvalidRequestError("Invalid input for field/attribute snapshot. 'volume_id' is a required property")
        _check_texts(asked, ("volume_id", *_ASKED))
        self._policies.authorize(request.context, "os_compute_api:os-volumes:snapshots:create")
        answer = await self._make_snapshot(_for_storage(request, "/snapshots", {"snapshot": _renamed(asked)}))
        made = _made(answer, "snapshot")
        return answer if made is None else Answer.json(200, {"snapshot": snapshot_view(made)})


def volume_view(volume: Document) -> dict[str, object]:
    """A volume that was just made, as Nova shows it.

    >>> volume_view({"id": "v", "size": 1, "name": "n"})["displayName"]
    'n'
    """
    return {
        "id": volume.get("id"),
        "status": volume.get("status"),
        "size": volume.get("size"),
        "availabilityZone": volume.get("availability_zone"),
        "createdAt": volume.get("created_at"),
        "attachments": [{}],
        "displayName": volume.get("name"),
        "displayDescription": volume.get("description"),
        "volumeType": volume.get("volume_type"),
        "snapshotId": volume.get("snapshot_id"),
        "metadata": volume.get("metadata") or {},
    }


def snapshot_view(snapshot: Document) -> dict[str, object]:
    """A snapshot that was just made, as Nova shows it."""
    return {
        "id": snapshot.get("id"),
        "volumeId": snapshot.get("volume_id"),
        "status": snapshot.get("status"),
        "size": snapshot.get("size"),
        "createdAt": snapshot.get("created_at"),
        "displayName": snapshot.get("name"),
        "displayDescription": snapshot.get("description"),
    }


def _for_storage(request: Request, path: str, body: Document) -> Request:
    """The same caller's request at the block-storage door."""
    text = msgspec.json.encode(body)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": text, "more_body": False}

    return Request(
        method="POST",
        path=f"/v3{path}",
        query=b"",
        headers=request.headers,
        receive=receive,
        body_limit=request.body_limit,
        context=request.context,
        root="/v3",
        microversion=_VERSION,
        timings=request.timings,
    )


def _part(document: Document, key: str, fields: tuple[str, ...]) -> Document:
    part = document.get(key)
    if not isinstance(part, Mapping):
        raise InvalidRequestError(f"'{key}' is a required property")
    if extra := sorted({*document} - {key} | {*part} - {*fields}):
        were = f"({', '.join(map(repr, extra))} {'was' if len(extra) == 1 else 'were'} unexpected)"
        raise InvalidRequestError(
            f"Invalid input for field/attribute {key}. Additional properties are not allowed {were}"
        )
    return part


def _check_texts(asked: Document, fields: tuple[str, ...]) -> None:
    for name in fields:
        if name in asked and not isinstance(asked[name], str):
            raise InvalidRequestError(_not_type(name, asked[name], "string"))


def _not_type(name: str, value: object, wanted: str) -> str:
    return f"Invalid input for field/attribute {name}. Value: {value}. {value!r} is not of type '{wanted}'"


def _renamed(asked: Document) -> dict[str, object]:
    return {_ASKED.get(name, name): value for name, value in asked.items()}


def _made(answer: Answer, key: str) -> Document | None:
    """What was made; None for a refusal."""
    if answer.status >= 300:
        return None
    made = answer.object().get(key)
    if not isinstance(made, Mapping):
        raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
    return made
