# SPDX-License-Identifier: Apache-2.0
"""May everybody do at a door what he may do at a stock service, and nothing else, for every row that we answer?

Each persona asks both, with the same token: what Pod1's Nova or Cinder says, with its default policies, is what is
expected. Some rows are asked always, all of them with ``TRICIRCLE_PERSONAS=all``; ``TRICIRCLE_PERSONAS=write`` also
writes what was seen into ``docs/reference/personas.md``. Any other value is a pattern of the names of rows.
"""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.docs.pages import ROOT, table_rows
from tests.functional.personas import DOORS_WITH_ROWS, PERSONAS, Company, Probe, is_refused, line, probes, sort
from tests.functional.region_world import Region
from tests.fuzz.wire import Heard
from tests.fuzz.world import OURS, THEIRS, World, world

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]

PAGE = ROOT / "docs" / "reference" / "personas.md"
_ASKED = os.environ.get("TRICIRCLE_PERSONAS", "")
#: Without the variable: one row of so many, and each of these, where more is done than to pass on what is asked.
_ONE_OF = 25
_ALWAYS = re.compile(
    r"FloatingIp|FixedIp|addSecurityGroup|os-interface$|uptime|PUT /servers/{server_id}/metadata$|POST /groups$"
)
#: Nobody but us has the Admin API: who may is said by our own rules.
_OPERATORS = frozenset({"admin", "foreign admin", "domain admin"})
_HEAD = "| door | call | " + " | ".join(PERSONAS) + " |"


@pytest.fixture(scope="module")
def things(region: Region) -> Iterator[World]:
    """What calls name."""
    with world(region) as made:
        yield made


@pytest.fixture(scope="module")
def company(region: Region, things: World) -> Iterator[Company]:
    """All personas."""
    made = Company(region, things)
    yield made
    made.leave()


def seen(company: Company, probe: Probe) -> tuple[list[str], list[str]]:
    """What the personas are told of one call, and what they should be told."""
    ours, theirs = [], []
    for persona in PERSONAS:
        answer, direct = company.asks(probe, persona, OURS), company.asks(probe, persona, THEIRS)
        assert answer is not None
        ours.append(told(probe, answer))
        if direct is not None:
            # Where the service itself breaks it does not say who may.
            theirs.append(ours[-1] if ours[-1] == "501" or direct.status >= 500 else told(probe, direct))
        else:
            theirs.append(ours[-1] if persona in _OPERATORS and ours[-1] != "no" else "no")
    return ours, theirs


def is_asked(probe: Probe, number: int) -> bool:
    """Whether the row of a probe is asked in this run."""
    if _ASKED in ("all", "write"):
        return True
    return bool(re.search(_ASKED, probe.name) if _ASKED else _ALWAYS.search(probe.name) or number % _ONE_OF == 0)


def told(probe: Probe, heard: Heard) -> str:
    """An answer in one word. What nobody carries yet has nothing to do with who asks; *500* is a failure of ours."""
    if heard.status == 501:
        return "501"
    is_broken = heard.status >= 500 and heard.header("x-openstack-upstream-request-id") is None
    if is_broken:
        return "500"
    return "refused" if is_refused(probe, heard) else sort(heard)


@pytest.mark.parametrize("door", DOORS_WITH_ROWS)
def test_every_persona(company: Company, door: str) -> None:
    every = probes(door)
    asked = [one for number, one in enumerate(every) if is_asked(one, number)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda probe: seen(company, probe), asked))
    lines = [line(probe, ours) for probe, (ours, _) in zip(asked, answers, strict=True)]
    print("\n" + "\n".join([_HEAD, *lines]))
    wrong = [
        f"{line(probe, ours)}\n{line(probe, theirs)}"
        for probe, (ours, theirs) in zip(asked, answers, strict=True)
        if ours != theirs
    ]
    if _ASKED == "write":
        write(door, lines)
    assert not wrong, "ours, and below it the service's own:\n" + "\n".join(wrong)
    assert_documented(door, lines)


def write(door: str, lines: list[str]) -> None:
    """Put what was seen into the page."""
    begin, end = f"<!-- {door} -->\n", f"<!-- end of {door} -->\n"
    text = PAGE.read_text()
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    rule = "|---|---|" + "---|" * len(PERSONAS)
    PAGE.write_text(before + begin + "\n".join([_HEAD, rule, *lines]) + "\n" + end + after)


def assert_documented(door: str, lines: list[str]) -> None:
    """The page says what is so."""
    documented = {row[1]: row[2:] for row in table_rows(PAGE) if row[0] == door}
    now = {
        cells[1].strip(): [cell.strip() for cell in cells[2:]] for cells in (one.strip("|").split("|") for one in lines)
    }
    assert {name: cells for name, cells in now.items() if documented.get(name) != cells} == {}
