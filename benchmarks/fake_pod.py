# SPDX-License-Identifier: Apache-2.0
"""A pod in a process of its own that falls ill on command.

``python -m benchmarks.fake_pod``: writes its port, then reads one word per line: an illness of ``ILLNESSES``, or
``well``; answers each with the word.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from benchmarks.stub_keystone import PROJECT, SERVICE_TOKEN, TOKEN
from tricircle.testing import lies, wire
from tricircle.testing.ailments import Ailment, Symptom
from tricircle.testing.identities import Identities, Identity
from tricircle.testing.listener import Listener
from tricircle.testing.pods import FakePod

_BROKEN = Symptom.BROKEN
ILLNESSES: dict[str, Ailment | str] = {
    "refused": "refuse",
    "black hole": "ignore",
    "never read": "hold",
    "silent": Ailment(symptom=Symptom.SILENT),
    "slow": Ailment(symptom=_BROKEN, wire=wire.dripping_body, delay_s=1.0),
    "cut": Ailment(symptom=Symptom.CUT),
    "page": Ailment(symptom=Symptom.GARBAGE),
    "failing": Ailment(symptom=Symptom.FAILING, status=500),
    "busy": Ailment(symptom=Symptom.FAILING, status=429),
    "huge": Ailment(symptom=_BROKEN, wire=wire.endless_body),
    "lying": Ailment(symptom=Symptom.LYING, lie=lies.FOREIGN),
    "an hour ahead": Ailment(symptom=Symptom.LYING, lie=lies.clock_off(1)),
    "an hour behind": Ailment(symptom=Symptom.LYING, lie=lies.clock_off(-1)),
}


class OneTenant(Identities):
    """The tenant and the service user, as the stub Keystone knows them."""

    def of(self, token: str | None) -> Identity | None:
        """Whose token it is."""
        if token not in (TOKEN, SERVICE_TOKEN):
            return None
        roles = frozenset({"admin"} if token == SERVICE_TOKEN else {"member", "reader"})
        never = float("inf")
        return Identity(
            user_id="u" * 32, user_name="u", project_id=PROJECT, project_name="p", roles=roles, expires_at=never
        )


async def _serve() -> None:
    pod = FakePod("Pod", OneTenant(), zone="nova")
    loop = asyncio.get_running_loop()
    async with Listener(pod) as listener:
        changes: dict[str, Callable[[], Awaitable[None]]] = {
            "refuse": listener.refuse,
            "ignore": listener.ignore,
            "hold": listener.hold,
        }
        sys.stdout.write(f"{listener.port}\n")
        sys.stdout.flush()
        while word := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            illness = ILLNESSES.get(word)
            pod.fall_ill(None if isinstance(illness, str) else illness)
            await (changes[illness] if isinstance(illness, str) else listener.accept)()
            sys.stdout.write(f"{word}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve())
