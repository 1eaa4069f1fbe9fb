# SPDX-License-Identifier: Apache-2.0
"""What does the fake Cinder tell users of what went wrong behind its answers?"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tricircle.testing.block_storage.storage_lists import MESSAGES, Pager, links_to
from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, new_id, plain, request_id, route

_PAGED_SINCE = (3, 5)
#: How long a message is kept.
_KEPT = timedelta(days=30)


class VolumeMessages:
    """Messages: of volumes for which there is no storage."""

    def __init__(self, pager: Pager) -> None:
        self.stored: dict[str, Json] = {}
        self._pager = pager
        self._numbers = itertools.count(1)

    def routes(self) -> Sequence[Route]:
        """Paths of messages."""
        return [
            route("GET", "/messages", self._list),
            route("GET", "/messages/{message_id}", self._show),
            route("DELETE", "/messages/{message_id}", self._delete),
        ]

    def no_storage(self, volume: Json) -> Json:
        """Tell the owner of a volume that no storage was found for it."""
        now = datetime.now(UTC)
        made = {
            "id": new_id(), "event_id": "VOLUME_VOLUME_001_003", "message_level": "ERROR", "resource_type": "VOLUME",
            "user_message": "schedule allocate volume:Could not find any available weighted backend.",
            "resource_uuid": volume["id"], "request_id": request_id(), "created_at": f"{now:%Y-%m-%dT%H:%M:%S}.000000",
            "guaranteed_until": f"{now + _KEPT:%Y-%m-%dT%H:%M:%S}.000000",
            "_project": volume["_project"], "_number": next(self._numbers),
        }  # fmt: skip
        self.stored[made["id"]] = made
        return made

    def _get(self, asked: Asked, message_id: str) -> Json:
        _need(asked)
        found = self.stored.get(message_id)
        if found is None or not asked.sees(found["_project"]):
            raise Refusal(404, f"Message {message_id} could not be found.")
        return found

    def _list(self, asked: Asked) -> Said:
        _need(asked)
        # Cinder's own list leaves out nobody's.
        everybodys = list(self.stored.values())
        is_paged = asked.version >= _PAGED_SINCE
        asked.query = asked.query if is_paged else []
        seen = [one for one in everybodys if asked.sees(one["_project"])]
        manner = MESSAGES.manner(self._pager, lambda: seen)
        manner = manner if is_paged else replace(manner, max_limit=len(everybodys) + 1)
        return Said(body=MESSAGES.body(asked, everybodys, manner, lambda one, _: _shown(asked, one)))

    def _show(self, asked: Asked, message_id: str) -> Said:
        return Said(body={"message": _shown(asked, self._get(asked, message_id))})

    def _delete(self, asked: Asked, message_id: str) -> Said:
        self._get(asked, message_id)
        del self.stored[message_id]
        return Said(status=204)


def _need(asked: Asked) -> None:
    if asked.version < (3, 3):
        raise Refusal(404, "The resource could not be found.")


def _shown(asked: Asked, message: Json) -> Json:
    return {**plain(message), "links": links_to(asked, f"messages/{message['id']}")}
