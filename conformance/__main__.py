# SPDX-License-Identifier: Apache-2.0
"""``python -m conformance``: which tests, where, and from the beginning or from where the last run was cut off?"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance import environment, files, report, run
from conformance.results import forget_failures, load
from conformance.targets import TARGETS, Target, ready, shares
from lab.topology import Lab, load_lab

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run and report; 1 when a test that passes directly does not pass through tricircle."""
    options = _parser().parse_args()
    lab = load_lab(ROOT)
    if len(lab.pods) < 3 or lab.pod_glance:
        sys.stderr.write(
            "the lab must be up with three pods and one Glance: python -m lab up --pods 3 --no-pod-glance\n"
        )
        return 2
    environment.install(lab)
    targets = [TARGETS[name] for name in options.target or TARGETS]
    sets: Mapping[str, Sequence[str]] = {}
    for target in targets:
        sets = _one(lab, target, options)
    results = {name: load(run.file_of(lab, target)) for name, target in TARGETS.items()}
    everything = sorted({test for tests in sets.values() for test in tests})
    if options.report:
        (ROOT / "docs" / "conformance.json").write_text(report.as_json(everything, results))
        (ROOT / "docs" / "conformance.md").write_text(report.as_markdown(sets, results, shares(lab)))
    return 0


def _one(lab: Lab, target: Target, options: argparse.Namespace) -> Mapping[str, Sequence[str]]:
    """Run one target; the sets of tests by title."""
    if options.again:
        run.file_of(lab, target).unlink(missing_ok=True)
    if options.failed:
        forget_failures(run.file_of(lab, target))
    run.prepare(lab, target, ready(lab, target))
    every = run.every_test(lab, target)
    sets = {"OpenStack Powered 2020.06": run.powered(every)}
    if not options.powered:
        sets["All of compute, volume, image and network"] = run.full(every)
    tests = sorted({test for tests in sets.values() for test in tests})
    if options.only:
        tests = [test for test in tests if options.only in test]
    with files.served(lab):
        run.run(lab, target, tests, workers=options.workers)
    return sets


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m conformance", description="Run Tempest against the lab.")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="where; default: pod, one, three")
    parser.add_argument("--powered", action="store_true", help="only the OpenStack Powered list")
    parser.add_argument("--only", metavar="TEXT", help="only tests whose id contains this")
    parser.add_argument("--again", action="store_true", help="forget earlier results; default: go on")
    parser.add_argument("--failed", action="store_true", help="run again what failed")
    parser.add_argument("--workers", type=int, default=2, help="how many tests at once (default: 2)")
    parser.add_argument("--no-report", dest="report", action="store_false", help="do not write docs/conformance.*")
    return parser


if __name__ == "__main__":
    sys.exit(main())
