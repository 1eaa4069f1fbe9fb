# SPDX-License-Identifier: Apache-2.0
"""``tricircle-manage pod``: which pods are there, and are they as they should be?"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from tricircle.cmd import incomplete
from tricircle.cmd.tabular import table
from tricircle.cmd.workbench import workbench
from tricircle.conf.settings import Settings
from tricircle.context import Deadline
from tricircle.errors import NotFoundError
from tricircle.model.pod import Pod, PodState
from tricircle.pods.findings import Finding, Level
from tricircle.pods.releases import ceilings

_CHECK_S = 60.0


def register(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``pod list | check | lists``."""
    group = groups.add_parser("pod", help="the pods, as written down and as they are")
    commands = group.add_subparsers(dest="command", metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="the pods with zone, state and versions")
    listing.set_defaults(run=_list)
    check = commands.add_parser(
        "check", help="ask every service of the pods, and say what is wrong and what to do; exit code 1 on a failure"
    )
    check.add_argument("name", nargs="*", help="pods to check; default: all")
    check.add_argument("--json", action="store_true", help="for programs: all findings as JSON")
    check.set_defaults(run=_check)
    incomplete.add(commands)


def _list(settings: Settings, arguments: argparse.Namespace) -> int:
    async def pods() -> tuple[Pod, ...]:
        async with workbench(settings) as bench:
            return await bench.registry.pods()

    rows = [
        (
            pod.name,
            pod.az_name or "(central)",
            pod.state.value,
            ", ".join(
                f"{service} {end.max_version}" for service, end in sorted(pod.endpoints.items()) if end.max_version
            ),
            pod.id,
        )
        for pod in asyncio.run(pods())
    ]
    sys.stdout.write(table(("NAME", "AZ", "STATE", "VERSIONS", "ID"), rows))
    return 0


def _check(settings: Settings, arguments: argparse.Namespace) -> int:
    findings, pods = asyncio.run(_inspected(settings, arguments.name))
    if arguments.json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    else:
        sys.stdout.write(table(("POD", "CHECK", "RESULT", "WHAT WAS SEEN"), _rows(findings)))
        sys.stdout.write(_summary(findings, pods))
    return 1 if any(finding.level is Level.FAILURE for finding in findings) else 0


async def _inspected(settings: Settings, names: Sequence[str]) -> tuple[list[Finding], list[Pod]]:
    """The findings on the named pods (all but the disabled, if none is named). :raises NotFoundError: no such pod."""
    async with workbench(settings) as bench:
        known = {pod.name: pod for pod in await bench.registry.pods() if not pod.is_central}
        if unknown := [name for name in names if name not in known]:
            raise NotFoundError(f"There is no pod {unknown[0]}. Registered are: {', '.join(known) or 'none'}.")
        pods = [
            pod for pod in known.values() if pod.name in names or (not names and pod.state is not PodState.DISABLED)
        ]
        deadline = Deadline.after(_CHECK_S)
        results = await asyncio.gather(*(bench.inspection.inspect(pod, deadline) for pod in pods))
        return [finding for result in results for finding in result], pods


def _rows(findings: Sequence[Finding]) -> list[tuple[str, str, str, str]]:
    """A finding is one row, its remedy another one below."""
    rows = []
    for finding in findings:
        rows.append((finding.pod, finding.check, finding.level.value.upper(), finding.text))
        if finding.remedy:
            rows.append(("", "", "", f"-> {finding.remedy}"))
    return rows


def _summary(findings: Sequence[Finding], pods: Sequence[Pod]) -> str:
    counts = ", ".join(f"{sum(1 for f in findings if f.level is level)} {level.value}" for level in Level)
    lines = [f"{len(pods)} pods: {counts}"]
    for service, (version, low) in ceilings(pods).items():
        why = f", kept there by {', '.join(low)}" if low else ""
        lines.append(f"{service}: all of these pods speak versions up to {version}{why}")
    return "\n".join(lines) + "\n"
