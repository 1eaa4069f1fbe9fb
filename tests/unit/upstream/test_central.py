# SPDX-License-Identifier: Apache-2.0
"""Is an old answer asked for again, and is a 404 only believed in Neutron's own words?"""

from collections.abc import Callable
from typing import cast

import pytest

from tricircle.context import Deadline
from tricircle.errors import NotFoundError, UnavailableError, UpstreamStatusError
from tricircle.model.pod import Service
from tricircle.upstream.central import Central
from tricircle.upstream.client import Clients
from tricircle.upstream.reply import Target

GONE = UpstreamStatusError(404, '{"NeutronError": {"type": "PortNotFound"}}', "central/network")
PROXY = UpstreamStatusError(404, "<html>Not Found</html>", "central/network")


class Neutron:
    """Answers in order; the last one again and again."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    def as_service(self, target: object) -> "Neutron":
        return self

    async def get(self, path: str, *, deadline: Deadline) -> dict[str, object]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"port": {"id": "p1", "revision_number": answer}}


def _central(neutron: Neutron) -> Central:
    targets = cast("Callable[[Service], Target]", lambda service: None)
    return Central(cast("Clients", neutron), targets, patience_s=0.5)


@pytest.mark.parametrize("at_least", [None, 4, 5])
async def test_what_is_new_enough_is_believed_at_once(at_least: int | None) -> None:
    neutron = Neutron(5)
    port = await _central(neutron).port("p1", at_least=at_least, deadline=Deadline.after(5))
    assert (port["revision_number"], neutron.asked) == (5, 1)


async def test_what_is_old_is_asked_for_again() -> None:
    neutron = Neutron(3, GONE, 4, 5)
    port = await _central(neutron).port("p1", at_least=5, deadline=Deadline.after(5))
    assert (port["revision_number"], neutron.asked) == (5, 4)


async def test_what_stays_old_is_not_believed() -> None:
    with pytest.raises(UnavailableError):
        await _central(Neutron(3)).port("p1", at_least=5, deadline=Deadline.after(5))


@pytest.mark.parametrize("at_least", [None, 5])
async def test_what_is_gone_is_gone(at_least: int | None) -> None:
    with pytest.raises(NotFoundError):
        await _central(Neutron(GONE)).port("p1", at_least=at_least, deadline=Deadline.after(5))


async def test_a_proxy_that_finds_nothing_proves_nothing() -> None:
    with pytest.raises(UpstreamStatusError):
        await _central(Neutron(PROXY)).port("p1", deadline=Deadline.after(5))
