# SPDX-License-Identifier: Apache-2.0
"""Of what does a volume type consist, and how is one in a pod made to consist of the same?

Name, extra specs, encryption, and the QoS spec it is associated with. Encryption is not negotiable: a pod that cannot
have it gets no volume of the type, rather than one in the clear.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

import msgspec

from tricircle.context import Deadline
from tricircle.copies.bodies import Body, member, rows, text
from tricircle.errors import ConflictError, UpstreamStatusError
from tricircle.model.pod import Pod
from tricircle.upstream.client import ServiceClient

#: Names of QoS specs that we make in pods begin with it; the central id follows.
QOS_PREFIX = "tricircle-"
#: The extra spec that limits a type to AZs; tenants see it.
ZONES_KEY = "RESKEY:availability_zones"
_ENCRYPTION_FIELDS = ("provider", "cipher", "key_size", "control_location")


@dataclass(frozen=True, slots=True, kw_only=True)
class Qos:
    """A QoS spec. ``consumer``: who obeys it (``front-end``, ``back-end``, ``both``)."""

    id: str
    name: str
    consumer: str
    specs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What makes up one type, at the centre or in a pod.

    :ivar encryption: provider, cipher, key_size and control_location; None: not encrypted
    :ivar encryption_id: the encryption's own id
    """

    name: str
    specs: Mapping[str, str]
    encryption: Mapping[str, object] | None = None
    encryption_id: str = ""
    qos: Qos | None = None

    @property
    def digest(self) -> str:
        """What of a type a pod must know, as 64 characters. A QoS spec counts by id and content."""
        qos = None if self.qos is None else [self.qos.id, self.qos.consumer, sorted(self.qos.specs.items())]
        encryption = None if self.encryption is None else sorted(self.encryption.items())
        shape = [self.name, sorted(self.specs.items()), encryption, qos]
        return hashlib.sha256(msgspec.json.encode(shape)).hexdigest()

    def at(self, pod: Pod) -> "Content":
        """What it consists of in a pod, whose AZ has another name there."""
        zones = zones_of(self.specs)
        if zones is None or pod.az_name not in zones:
            return self  # in a pod that may have no volumes of the type, its Cinder says so
        specs = {key: value for key, value in self.specs.items() if key != ZONES_KEY}
        return replace(self, specs=specs | ({ZONES_KEY: pod.pod_az_name} if pod.pod_az_name else {}))

    def is_like(self, other: "Content") -> bool:
        """Whether volumes of both would be the same. A QoS spec is never like another one: its id is not ours."""
        mine, theirs = (self.specs, self.encryption), (other.specs, other.encryption)
        return mine == theirs and self.qos is None and other.qos is None


def zones_of(specs: object) -> tuple[str, ...] | None:
    """The AZs that a type's extra specs limit it to, as Cinder reads them; None: it is not limited.

    >>> zones_of({ZONES_KEY: "az1, az2,"}), zones_of({})
    (('az1', 'az2'), None)
    """
    said = specs.get(ZONES_KEY) if isinstance(specs, Mapping) else None
    return None if said is None else tuple(zone.strip() for zone in str(said).split(",") if zone)


def segment(value: object) -> str:
    """An id, or a key, as one segment of a path.

    >>> segment("a/b c")
    'a%2Fb%20c'
    """
    return quote(str(value), safe="")


async def read(client: ServiceClient, type_id: str, deadline: Deadline) -> Content | None:
    """A type as administrators see it, or None when it is not there."""
    answer = await client.get(f"/v3/types/{segment(type_id)}", deadline=deadline, ok=(404,))
    return await complete(client, member(answer, "volume_type"), deadline) if answer else None


async def complete(client: ServiceClient, volume_type: Body, deadline: Deadline) -> Content:
    """The content of a type whose body is known, with what its body does not show."""
    answer = await client.get(f"/v3/types/{segment(volume_type['id'])}/encryption", deadline=deadline, ok=(404,))
    encryption = {name: answer.get(name) for name in _ENCRYPTION_FIELDS} if answer.get("provider") else None
    qos_id = volume_type.get("qos_specs_id")
    return Content(
        name=text(volume_type, "name"),
        specs=specs_of(volume_type, "extra_specs"),
        encryption=encryption,
        encryption_id=text(answer, "encryption_id"),
        qos=await _read_qos(client, qos_id, deadline) if isinstance(qos_id, str) else None,
    )


def specs_of(body: Body, key: str) -> dict[str, str]:
    """A map of texts in a body; an absent one is empty."""
    specs = body.get(key)
    return {str(name): str(value) for name, value in specs.items()} if isinstance(specs, Mapping) else {}


async def agree(client: ServiceClient, type_id: str, present: Content, wanted: Content, deadline: Deadline) -> None:
    """Make the type of a pod consist of what is wanted, its name apart.

    :raises ConflictError: its encryption would have to change, but volumes of it exist there
    """
    await _agree_encryption(client, type_id, present, wanted, deadline)
    for key in sorted(present.specs.keys() - wanted.specs.keys()):
        await client.delete(f"/v3/types/{segment(type_id)}/extra_specs/{segment(key)}", deadline=deadline, ok=(404,))
    changed = {key: value for key, value in wanted.specs.items() if present.specs.get(key) != value}
    if changed:
        await client.post(f"/v3/types/{segment(type_id)}/extra_specs", body={"extra_specs": changed}, deadline=deadline)
    await _agree_qos(client, type_id, present.qos, wanted.qos, deadline)


async def _agree_encryption(
    client: ServiceClient, type_id: str, present: Content, wanted: Content, deadline: Deadline
) -> None:
    if present.encryption == wanted.encryption:
        return
    path = f"/v3/types/{segment(type_id)}/encryption"
    body = {"encryption": wanted.encryption}
    try:
        if wanted.encryption is None:
            await client.delete(f"{path}/{segment(present.encryption_id)}", deadline=deadline, ok=(404,))
        elif present.encryption is None:
            await client.post(path, body=body, deadline=deadline)
        else:
            await client.put(f"{path}/{segment(present.encryption_id)}", body=body, deadline=deadline)
    except UpstreamStatusError as error:
        if error.status != 400:
            raise
        text_ = f"Volume type {wanted.name} cannot be used there: its encryption differs and volumes of it exist."
        raise ConflictError(text_) from error


async def _read_qos(client: ServiceClient, qos_id: str, deadline: Deadline) -> Qos | None:
    answer = await client.get(f"/v3/qos-specs/{segment(qos_id)}", deadline=deadline, ok=(404,))
    return _qos(member(answer, "qos_specs")) if answer else None


def _qos(body: Body) -> Qos:
    return Qos(
        id=text(body, "id"), name=text(body, "name"), consumer=text(body, "consumer"), specs=specs_of(body, "specs")
    )


async def _agree_qos(
    client: ServiceClient, type_id: str, present: Qos | None, wanted: Qos | None, deadline: Deadline
) -> None:
    copy = None if wanted is None else await _copy_of(client, wanted, deadline)
    if present is not None and (copy is None or copy.id != present.id):
        params = {"vol_type_id": type_id}
        await client.get(
            f"/v3/qos-specs/{segment(present.id)}/disassociate", params=params, deadline=deadline, ok=(404,)
        )
        if present.name.startswith(QOS_PREFIX):
            # 400: another type has it still.
            await client.delete(f"/v3/qos-specs/{segment(present.id)}", deadline=deadline, ok=(400, 404))
    if copy is not None and (present is None or present.id != copy.id):
        await client.get(
            f"/v3/qos-specs/{segment(copy.id)}/associate", params={"vol_type_id": type_id}, deadline=deadline
        )


async def _copy_of(client: ServiceClient, wanted: Qos, deadline: Deadline) -> Qos:
    """The pod's copy of a QoS spec, with the same content."""
    name = QOS_PREFIX + wanted.id
    copy = await _named(client, name, deadline)
    if copy is None:
        body = {"qos_specs": {**wanted.specs, "name": name, "consumer": wanted.consumer}}
        try:
            return _qos(member(await client.post("/v3/qos-specs", body=body, deadline=deadline), "qos_specs"))
        except UpstreamStatusError as error:
            copy = await _named(client, name, deadline) if error.status == 409 else None
            if copy is None:
                raise
    if gone := sorted(copy.specs.keys() - wanted.specs.keys()):
        await client.put(
            f"/v3/qos-specs/{segment(copy.id)}/delete_keys", body={"keys": gone}, deadline=deadline, ok=(404,)
        )
    changed = {key: value for key, value in wanted.specs.items() if copy.specs.get(key) != value}
    if copy.consumer != wanted.consumer:
        changed["consumer"] = wanted.consumer
    if changed:
        await client.put(f"/v3/qos-specs/{segment(copy.id)}", body={"qos_specs": changed}, deadline=deadline)
    return copy


async def _named(client: ServiceClient, name: str, deadline: Deadline) -> Qos | None:
    answer = await client.get("/v3/qos-specs", params={"limit": 1000}, deadline=deadline)
    return next((_qos(one) for one in rows(answer, "qos_specs") if one.get("name") == name), None)
