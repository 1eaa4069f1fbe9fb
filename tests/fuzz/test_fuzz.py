# SPDX-License-Identifier: Apache-2.0
"""Does any bad request get from a door what a real service would not give, or break it?

A sample; ``TRICIRCLE_FUZZ=all`` (``make fuzz``) sends everything. What was found stands in ``.lab/fuzz/<door>.json``.
"""

import os
import re

import pytest

from tests.fuzz.evenness import Evenness
from tests.fuzz.hostile import hostile
from tests.fuzz.mutations import spread
from tests.fuzz.relays import Watched
from tests.fuzz.report import Report
from tests.fuzz.run import Run, words
from tests.fuzz.tables import DOORS
from tests.fuzz.world import World

pytestmark = [pytest.mark.lab, pytest.mark.fuzz, pytest.mark.timeout(4 * 3600)]

IS_WHOLE = os.environ.get("TRICIRCLE_FUZZ") == "all"
SEED = int(os.environ.get("TRICIRCLE_FUZZ_SEED", "34"))
MUTATED, HOSTILE = (3000, 2100) if IS_WHOLE else (50, 30)
MUTATED = int(os.environ.get("TRICIRCLE_FUZZ_MUTATED", MUTATED))
HOSTILE = int(os.environ.get("TRICIRCLE_FUZZ_HOSTILE", HOSTILE))
CALLS = re.compile(os.environ.get("TRICIRCLE_FUZZ_CALLS", ""))


@pytest.mark.parametrize("door", DOORS)
def test_bad_input(door: str, stage: Watched, things: World) -> None:
    lab = stage.lab
    ports = [port for pod in lab.pods for port in pod.ports.values()]
    report = Report(door=door)
    run = Run(
        door=door,
        world=things,
        relays=stage.relays,
        words=words((lab.state / "canaries.json").read_text(), ports),
        report=report,
        evenness=Evenness(things),
    )
    calls = [call for call in DOORS[door]() if CALLS.search(call.name)]
    run.mutations(spread(calls, door, MUTATED, SEED))
    run.hostilities(hostile(door, HOSTILE, SEED))
    report.write(lab.state / "fuzz")
    print("\n" + report.text())
    assert report.mutated == MUTATED
    assert report.hostile == HOSTILE
    assert not report.findings, report.text()
