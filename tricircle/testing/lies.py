# SPDX-License-Identifier: Apache-2.0
"""What does a service say that is well formed and not true?"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tricircle.testing.ailments import Lie
from tricircle.testing.exchange import Asked, Json, Said, new_id

_STAMPS = ("created_at", "updated_at", "created", "updated")
#: Where services name the owner of a thing.
_OWNERS = ("tenant_id", "os-vol-tenant-attr:tenant_id")
#: How many things are made up for each page.
_INVENTED = 5


def _of_lists(change: Callable[[Asked, str, list[Json]], list[Json]], *, has_next: bool = False) -> Lie:
    """A lie about the items of lists; ``has_next``: and that there are more."""

    def say(asked: Asked, said: Said) -> Said:
        found = _listed(said)
        if asked.method != "GET" or found is None or not isinstance(said.body, dict):
            return said
        key, items = found
        body: Json = {**said.body, key: change(asked, key, items)}
        if has_next:
            last = (body[key] or [{"id": "nothing"}])[-1].get("id", "")
            body[f"{key}_links"] = [{"rel": "next", "href": f"{asked.root}{asked.path}?marker={last}"}]
        return replace(said, body=body)

    return Lie(say=say)


def _listed(said: Said) -> tuple[str, list[Json]] | None:
    if isinstance(said.body, dict):
        for key, value in said.body.items():
            if isinstance(value, list) and not key.endswith("_links"):
                return key, value
    return None


def _without(*names: str) -> Callable[[Asked], Asked]:
    def hear(asked: Asked) -> Asked:
        return replace(asked, query=[(name, value) for name, value in asked.query if name not in names])

    return hear


def _invented(like: Json) -> Json:
    return {**like, "id": new_id(), "name": "invented"}


def _stranger(like: Json) -> Json:
    return {**_invented(like), **dict.fromkeys((name for name in _OWNERS if name in like), "f" * 32)}


def _later(value: Any, shift: timedelta) -> Any:
    if isinstance(value, list):
        return [_later(one, shift) for one in value]
    if not isinstance(value, dict):
        return value
    shifted = {key: _later(one, shift) for key, one in value.items()}
    for key in _STAMPS:
        if isinstance(stamp := shifted.get(key), str):
            moment = datetime.fromisoformat(stamp) + shift
            shifted[key] = moment.isoformat().replace("+00:00", "Z")
    return shifted


#: The first page again and again, each with a link to the next.
REPEATING = replace(_of_lists(lambda _asked, _key, items: items, has_next=True), hear=_without("marker"))
#: More pages without end, all full of things that nobody made.
ENDLESS = _of_lists(
    lambda _asked, _key, items: [*items, *(_invented(items[0] if items else {}) for _ in range(_INVENTED))],
    has_next=True,
)
#: An empty page that says that there are more.
EMPTY = _of_lists(lambda _asked, _key, _items: [], has_next=True)
#: Takes no notice of the limit.
UNBOUNDED = Lie(hear=_without("limit"))
#: Things without an id.
NAMELESS = _of_lists(lambda _asked, _key, items: [{k: v for k, v in one.items() if k != "id"} for one in items])
#: The same thing twice in a page.
DOUBLED = _of_lists(lambda _asked, _key, items: [*items, *items])
#: Things of a project that did not ask.
FOREIGN = _of_lists(lambda _asked, _key, items: [*items, *(_stranger(one) for one in items)])
#: What should be things are words.
SCALARS = _of_lists(lambda _asked, _key, items: [one["id"] for one in items])


def clock_off(hours: float) -> Lie:
    """All times are wrong by some hours, as those of a machine whose clock is."""
    shift = timedelta(hours=hours)

    def say(_asked: Asked, said: Said) -> Said:
        date = format_datetime(datetime.now(UTC) + shift, usegmt=True)
        return replace(said, body=_later(said.body, shift), headers={**said.headers, "Date": date})

    return Lie(say=say)
