# SPDX-License-Identifier: Apache-2.0
"""What does the fake Cinder do with QoS specs and their associations with types?"""

from collections.abc import Sequence

from tricircle.testing.block_storage.volume_types import VolumeTypes
from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, new_id, route


class QosSpecs:
    """QoS specs; a type has at most one."""

    def __init__(self, types: VolumeTypes) -> None:
        self.stored: dict[str, Json] = {}
        self._types = types

    def routes(self) -> Sequence[Route]:
        """Paths of QoS specs. Some that change something are GETs, as in Cinder."""
        one = "/qos-specs/{qos_id}"
        return [
            route("GET", "/qos-specs", self._list),
            route("POST", "/qos-specs", self._create),
            route("GET", one, self._show),
            route("PUT", one, self._update),
            route("DELETE", one, self._delete),
            route("PUT", f"{one}/delete_keys", self._delete_keys),
            route("GET", f"{one}/associate", self._associate),
            route("GET", f"{one}/disassociate", self._disassociate),
            route("GET", f"{one}/associations", self._associations),
        ]

    def _get(self, asked: Asked, qos_id: str) -> Json:
        asked.need_admin("volume_extension:qos_specs_manage:get_all")
        if qos_id not in self.stored:
            raise Refusal(404, f"No such QoS spec {qos_id}.")
        return self.stored[qos_id]

    def _list(self, asked: Asked) -> Said:
        asked.need_admin("volume_extension:qos_specs_manage:get_all")
        return Said(body={"qos_specs": list(self.stored.values())})

    def _create(self, asked: Asked) -> Said:
        asked.need_admin("volume_extension:qos_specs_manage:create")
        given = dict(asked.part("qos_specs"))
        name, consumer = given.pop("name"), given.pop("consumer", "back-end")
        if any(one["name"] == name for one in self.stored.values()):
            raise Refusal(409, f"QoS Specs {name} already exists.")
        made = {"id": new_id(), "name": name, "consumer": consumer, "specs": given}
        self.stored[made["id"]] = made
        return Said(body={"qos_specs": made})

    def _show(self, asked: Asked, qos_id: str) -> Said:
        return Said(body={"qos_specs": self._get(asked, qos_id)})

    def _update(self, asked: Asked, qos_id: str) -> Said:
        found, given = self._get(asked, qos_id), dict(asked.part("qos_specs"))
        found["consumer"] = given.pop("consumer", found["consumer"])
        found["specs"] |= given
        return Said(body=asked.json())

    def _delete(self, asked: Asked, qos_id: str) -> Said:
        self._get(asked, qos_id)
        if any(kind["qos_specs_id"] == qos_id for kind in self._types.stored.values()):
            raise Refusal(400, "Qos specs still in use.")
        del self.stored[qos_id]
        return Said(status=202)

    def _delete_keys(self, asked: Asked, qos_id: str) -> Said:
        found = self._get(asked, qos_id)
        for key in asked.json()["keys"]:
            if found["specs"].pop(key, None) is None:
                raise Refusal(404, f"QoS spec {qos_id} has no spec with key {key}.")
        return Said(status=202)

    def _associate(self, asked: Asked, qos_id: str) -> Said:
        self._get(asked, qos_id)
        self._types.stored[str(asked.one("vol_type_id"))]["qos_specs_id"] = qos_id
        return Said(status=202)

    def _disassociate(self, asked: Asked, qos_id: str) -> Said:
        self._get(asked, qos_id)
        self._types.stored[str(asked.one("vol_type_id"))]["qos_specs_id"] = None
        return Said(status=202)

    def _associations(self, asked: Asked, qos_id: str) -> Said:
        self._get(asked, qos_id)
        shown = [
            {"association_type": "volume_type", "name": kind["name"], "id": kind["id"]}
            for kind in self._types.stored.values()
            if kind["qos_specs_id"] == qos_id
        ]
        return Said(body={"qos_associations": shown})
