# SPDX-License-Identifier: Apache-2.0
"""Which pod is wired to which physical network of the centre, and when is it asked anew?"""

from types import SimpleNamespace

import pytest

from tricircle.context import Deadline, PodId
from tricircle.copies.wires import check_wire, is_wired, uneven
from tricircle.errors import ConflictError
from tricircle.model.pod import Pod

NETWORK = {"id": "n1", "provider:physical_network": "wan", "provider:segmentation_id": 7}


def pod(number: int, wires: list[str] | None, **names: str) -> Pod:
    facts: dict[str, object] = {"physical_networks": names}
    if wires is not None:
        facts["wires"] = wires
    return Pod(id=PodId(f"p{number}"), name=f"Pod{number}", az_name=f"az{number}", facts=facts)


NAMED, PLAIN, SILENT, ISLAND = (
    pod(1, ["physnet7"], wan="physnet7"),
    pod(2, ["wan", "far"]),
    pod(3, None),
    pod(4, ["far"]),
)


def test_a_pod_has_the_wire_under_its_own_name() -> None:
    assert [is_wired(one, "wan") for one in (NAMED, PLAIN, SILENT, ISLAND)] == [True, True, None, False]


def test_wires_that_only_some_have_are_called_as_at_the_centre() -> None:
    assert uneven([NAMED, PLAIN, SILENT]) == {"far"}
    assert uneven([NAMED, PLAIN, ISLAND]) == {"wan", "far"}
    assert uneven([PLAIN, PLAIN]) == uneven([SILENT]) == uneven([]) == frozenset()


@pytest.mark.parametrize(
    ("asked", "now", "is_refused"),
    [
        (NAMED, None, False),
        (PLAIN, None, False),
        (SILENT, None, False),
        (ISLAND, ["far"], True),
        (ISLAND, ["far", "wan"], False),
        (ISLAND, [], False),
    ],
)
async def test_a_pod_that_seems_to_lack_it_is_asked_anew(
    asked: Pod, now: list[str] | None, *, is_refused: bool
) -> None:
    paths = []

    async def get(path: str, **_named: object) -> dict[str, object]:
        paths.append(path)
        return {"agents": [{"configurations": {"bridge_mappings": dict.fromkeys(now or [], "br")}}]}

    async def accepting() -> tuple[Pod, ...]:
        return NAMED, PLAIN, SILENT, ISLAND

    reach = SimpleNamespace(
        network=lambda _pod: SimpleNamespace(get=get), registry=SimpleNamespace(accepting=accepting)
    )
    refused = ""
    try:
        await check_wire(reach, asked, NETWORK, Deadline.after(5))  # type: ignore[arg-type]
    except ConflictError as error:
        refused = error.message
    assert paths == ([] if now is None else ["/v2.0/agents"])
    assert refused == ("Network n1 cannot be in availability zone az4. It can be in: az1, az2." if is_refused else "")
