# SPDX-License-Identifier: Apache-2.0
"""``python -m conformance``: which tests, where, and from the beginning or from where the last run was cut off?"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance import differences, environment, files, report, run
from conformance.results import Result, forget, load
from conformance.shares import Share, shares, too_small
from conformance.targets import TARGETS, Target, put_back, ready
from lab.topology import Lab, load_lab

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "docs" / "conformance.json"
#: The same, and its page, of a lab whose third pod is of an older release.
PUBLISHED_OLDER = ROOT / "docs" / "conformance-older.json"
POWERED, ALL = "OpenStack Powered 2020.06", "All of compute, volume, image and network"
Sets = Mapping[str, Sequence[str]]


def main() -> int:
    """Run and report.

    1 when a test that passes directly does not pass through tricircle and no cause is known, when one that passed
    before, as ``docs/conformance.json`` has it, does not any more or was not run, or when a pod got next to nothing.
    """
    options = _parser().parse_args()
    lab = load_lab(ROOT)
    hosts = 1 if options.powered or lab.older_pods else 2
    if len(lab.pods) < 3 or lab.pod_glance or lab.compute_hosts < hosts:
        sys.stderr.write(f"the lab must be up as by: python -m lab up --pods 3 --no-pod-glance --hosts {hosts}\n")
        return 2
    environment.install(lab)
    targets = [TARGETS[name] for name in options.target or TARGETS]
    sets: Sets = {}
    if not options.only_report:
        for target in targets:
            sets = _one(lab, target, options)
    else:
        sets = _sets(run.every_test(lab, targets[0]), options)
    # Of a sample, only what was run now is looked at; the report is about everything that ever was.
    told = {target.name for target in targets} if options.powered else TARGETS
    results = {
        name: load(run.file_of(lab, target, is_sample=options.powered)) if name in told else {}
        for name, target in TARGETS.items()
    }
    if options.put_back:
        put_back(lab)
    rows = report.rows(sorted({test for tests in sets.values() for test in tests}), results)
    found = shares(lab, run.times_of(lab, TARGETS["three"]))
    complaints = _complaints(lab, rows, [] if options.powered or options.only else found)
    if not options.only and not options.only_report:
        names = [target.name for target in targets]
        complaints += [f"not run ({name}): {test}" for name, test in differences.left_out(rows, names)]
    if options.report and lab.older_pods:
        _publish_older(rows, results)
    elif options.report and not options.powered:
        _publish(rows, sets, results, found)
    sys.stdout.writelines(f"{complaint}\n" for complaint in complaints)
    return 1 if complaints else 0


def _one(lab: Lab, target: Target, options: argparse.Namespace) -> Sets:
    """Run one target; the sets of tests by title."""
    out = run.file_of(lab, target, is_sample=options.powered)
    if options.again:
        out.unlink(missing_ok=True)
        run.times_of(lab, target).unlink(missing_ok=True)
    forget(out, *(["failed"] if options.failed else []), *(["skipped"] if options.skipped else []))
    run.prepare(lab, target, ready(lab, target))
    sets = _sets(run.every_test(lab, target), options)
    tests = sorted({test for tests in sets.values() for test in tests})
    if options.only:
        tests = [test for test in tests if options.only in test]
    with files.served(lab):
        run.run(lab, target, tests, out, workers=options.workers)
    return sets


def _sets(every: Sequence[str], options: argparse.Namespace) -> Sets:
    powered = {POWERED: run.powered(every)}
    return powered if options.powered else {**powered, ALL: run.full(every)}


def _complaints(lab: Lab, rows: Sequence[differences.Row], found: list[Share]) -> list[str]:
    known, before = differences.kept(), PUBLISHED
    if lab.older_pods:
        known, before = (*known, *differences.kept(differences.KEPT_OLDER)), PUBLISHED_OLDER
    return [
        *(f"passes directly, not through tricircle: {test}" for test in differences.unexplained(rows, known)),
        *(f"passed before ({name}): {test}" for name, test in differences.lost(differences.published(before), rows)),
        *too_small(found),
    ]


def _publish_older(rows: Sequence[differences.Row], results: Mapping[str, Mapping[str, Result]]) -> None:
    """What was run with an older pod; the rest as it stands in the list of before."""
    now = {row["test"]: row for row in rows if row["three"] != "absent"}
    before = {row["test"]: row for row in differences.published(PUBLISHED_OLDER)}
    kept = [*differences.kept(differences.KEPT_OLDER), *differences.kept()]
    everything = [row for _, row in sorted((before | now).items())]
    PUBLISHED_OLDER.write_text(json.dumps(everything, indent=1) + "\n")
    PUBLISHED_OLDER.with_suffix(".md").write_text(report.of_older(everything, results, kept))


def _publish(
    rows: Sequence[differences.Row], sets: Sets, results: Mapping[str, Mapping[str, Result]], found: list[Share]
) -> None:
    PUBLISHED.write_text(json.dumps(rows, indent=1) + "\n")
    PUBLISHED.with_suffix(".md").write_text(report.as_markdown(sets, results, differences.kept(), found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m conformance", description="Run Tempest against the lab.")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="where; default: pod, one, three")
    parser.add_argument("--powered", action="store_true", help="only the OpenStack Powered list, without a report")
    parser.add_argument("--only", metavar="TEXT", help="only tests whose id contains this")
    parser.add_argument("--again", action="store_true", help="forget earlier results; default: go on")
    parser.add_argument("--failed", action="store_true", help="run again what failed")
    parser.add_argument("--skipped", action="store_true", help="run again what was skipped")
    parser.add_argument("--workers", type=int, default=4, help="how many tests at once (default: 4)")
    parser.add_argument("--only-report", action="store_true", help="run nothing, report what is there")
    parser.add_argument("--put-back", action="store_true", help="leave two pods registered, as tests want it")
    parser.add_argument("--no-report", dest="report", action="store_false", help="do not write docs/conformance.*")
    return parser


if __name__ == "__main__":
    sys.exit(main())
