# SPDX-License-Identifier: Apache-2.0
"""Are the two of a thing still equal, after requests have changed both, and what if they are not?

What many requests change is changed by one at a time, on both sides in the same order. Even so one side may have been
busy when the other was not any more; then answers differ for no fault of anybody's, and new things are made.
"""

import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from tests.functional.region_world import Caller
from tests.fuzz.mutations import Case
from tests.fuzz.spares import Spares
from tests.fuzz.verdict import READING
from tests.fuzz.world import OURS, THEIRS, World

_NAME = re.compile(r"/@([a-z-]+)")
#: Collections whose calls all name one thing that there can be once only: a MAC, a parent port.
_UNIQUE = ("/ports", "/trunks")
#: What is made anew when it has come to differ, by its name.
_KINDS = {"victim": "server", "victim-volume": "volume", "own-image": "image"}
#: What of a thing decides how it answers.
_STATE = {
    "server": ("status", "OS-EXT-STS:vm_state", "OS-EXT-STS:task_state", "OS-EXT-STS:power_state", "locked"),
    "volume": ("status", "attachments", "metadata", "bootable", "migration_status", "volume_type", "size"),
}


class Evenness:
    """Takes care of what all requests of a run name."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._spares = Spares(world)

    @contextmanager
    def turn(self, case: Case) -> Iterator[None]:
        """Nobody else changes meanwhile what this case would."""
        named = _NAME.search(case.path)
        turn = named[1] if named is not None else case.call.path if case.call.path in _UNIQUE else None
        if turn is None or case.call.method in READING:
            yield
            return
        with self._turns[turn]:
            yield

    def renewed(self, case: Case) -> bool:
        """Whether the thing that a case names had come to differ on both sides; then new ones stand for it now."""
        named = _NAME.search(case.call.path)
        if named is None or named[1] not in _KINDS or self._is_even(named[1]):
            return False
        for place in (OURS, THEIRS):
            self._world.replace(named[1], place, self._spares.make(_KINDS[named[1]], place))
        return True

    def _sides(self) -> tuple[tuple[int, Caller], tuple[int, Caller]]:
        tenant = self._world.tenant
        return (OURS, tenant.here), (THEIRS, tenant.inside["Pod1"])

    def _is_even(self, name: str) -> bool:
        ours, theirs = (self._state(name, place, caller) for place, caller in self._sides())
        return ours == theirs

    def _state(self, name: str, place: int, caller: Caller) -> object:
        thing_id = self._world.spelled(f"@{name}", place)
        if name == "own-image":
            found = self._world.region.admin("GET", "image", f"/images/{thing_id}")
            own = ("id", "created_at", "updated_at", "self", "file", "locations", "direct_url")
            return {key: value for key, value in found.json().items() if key not in own}
        kind, service = ("volume", "block-storage") if name == "victim-volume" else ("server", "compute")
        found = caller("GET", service, f"/{kind}s/{thing_id}")
        if found.status_code != 200:
            return found.status_code
        return json.dumps([found.json()[kind].get(key) for key in _STATE[kind]])
