# SPDX-License-Identifier: Apache-2.0
"""What do all results say together? Pure: the table that people read, and the list that programs read."""

from collections import Counter
from collections.abc import Mapping, Sequence

from conformance.differences import Difference, Row, cause_of, differing, short
from conformance.results import Result, status_of
from conformance.shares import Share
from conformance.targets import TARGETS

_STATUSES = ("passed", "failed", "skipped", "absent")
_UNKNOWN = "**not known**"
By = Mapping[str, Mapping[str, Result]]
_OLDER_HEAD = """\
# Conformance with an older pod

The same tests as in [conformance.md](conformance.md), directly on Pod1 and through three pods, of which the third runs
an older release (Nova 2.95, Cinder 3.70). All targets have one configuration: no test names a microversion that the
older pod does not have. Made by `python -m conformance --target pod --target three` on a lab that is up by
`python -m lab up --fresh --pods 3 --no-pod-glance --older pod3`; every test is in
[conformance-older.json](conformance-older.json), causes are kept in `conformance/differences-older.toml`.
"""
_HEAD = """\
# Conformance

Can a client tell tricircle from one real cloud? Other people's tests answer: Tempest, unmodified, with one
configuration; only the address of Keystone, the region and the ids that a cloud chooses differ. Made by
`make conformance`; every test is in [conformance.json](conformance.json), causes are kept in
`conformance/differences.toml`.
`absent`: it has not been run. What fails is run once more. With a third pod of an older release:
[conformance-older.md](conformance-older.md).
"""


def rows(tests: Sequence[str], results: By) -> list[Row]:
    """``[{"test": ..., "pod": ..., "one": ..., "three": ...}]``."""
    return [{"test": test, **{name: status_of(test, results[name]).status for name in TARGETS}} for test in tests]


def as_markdown(
    sets: Mapping[str, Sequence[str]], results: By, known: Sequence[Difference], shares: Sequence[Share]
) -> str:
    """The page: totals for each set and target, every difference with its cause, what does not pass directly, and
    what each pod got."""
    everything = rows(sorted({test for tests in sets.values() for test in tests}), results)
    lines = [_HEAD]
    for title, tests in sets.items():
        lines += [f"## {title}: {len(tests)} tests", "", *_totals(tests, results), ""]
    lines += ["## Passes directly, not through tricircle", "", *_differences(everything, known), ""]
    lines += ["## Does not pass directly", "", *_failures(everything, results), ""]
    lines += ["## What each of three pods got", "", *_shares(shares), ""]
    return "\n".join(lines)


def of_older(everything: Sequence[Row], results: By, known: Sequence[Difference]) -> str:
    """The page of a lab with an older pod: totals by service, and every difference with its cause."""
    lines = [_OLDER_HEAD, "| tests | target | passed | failed | skipped | absent |", "|---|---|---|---|---|---|"]
    for service in ("compute", "volume", "image", "network"):
        found = [row for row in everything if short(row["test"]).startswith(f"{service}.")]
        for name in ("pod", "three") if found else ():
            counts = Counter(row[name] for row in found)
            numbers = " | ".join(str(counts[one]) for one in _STATUSES)
            lines.append(f"| {service}: {len(found)} | {TARGETS[name].title} | {numbers} |")
    lines += ["", "## Passes directly, not through tricircle", "", *_differences(everything, known), ""]
    lines += ["## Does not pass directly", "", *_failures(everything, results), ""]
    return "\n".join(lines)


def _totals(tests: Sequence[str], results: By) -> list[str]:
    table = ["| target | " + " | ".join(_STATUSES) + " | passed only when run once more |", "|---|" + "---|" * 5]
    for name, target in TARGETS.items():
        ended = [status_of(test, results[name]) for test in tests]
        counts = Counter(result.status for result in ended)
        again = sum(result.again and result.status == "passed" for result in ended)
        table.append(f"| {target.title} | " + " | ".join(str(counts[one]) for one in _STATUSES) + f" | {again} |")
    return table


def _differences(everything: Sequence[Row], known: Sequence[Difference]) -> list[str]:
    found = [
        f"| {short(row['test'])} | {row['one']} | {row['three']} | {cause_of(row['test'], known) or _UNKNOWN} |"
        for row in differing(everything)
    ]
    return ["| test | one | three | cause |", "|---|---|---|---|", *found] if found else ["None."]


def _failures(everything: Sequence[Row], results: By) -> list[str]:
    found = [
        f"| {short(row['test'])} | {last_line(status_of(row['test'], results['pod']).reason)} |"
        for row in everything
        if row["pod"] == "failed"
    ]
    return ["| test | what it says |", "|---|---|", *found] if found else ["Nothing fails; what is skipped is not run."]


def _shares(shares: Sequence[Share]) -> list[str]:
    if not shares:
        return ["Not counted yet."]
    servers, volumes = (sum(share.servers for share in shares) or 1, sum(share.volumes for share in shares) or 1)
    return [
        "| pod | servers | volumes |",
        "|---|---|---|",
        *(
            f"| {share.pod} | {share.servers} ({share.servers * 100 // servers} %) "
            f"| {share.volumes} ({share.volumes * 100 // volumes} %) |"
            for share in shares
        ),
    ]


def last_line(reason: str) -> str:
    """The line of a traceback that says what was wrong, fit for a table."""
    lines = [line.strip() for line in reason.strip().splitlines() if line.strip()]
    told = next((line for line in reversed(lines) if not line.startswith(("}", "]", "'"))), "")
    return told.replace("|", "/")[:160]
