# SPDX-License-Identifier: Apache-2.0
"""What does it cost to be in the path? ``GET /servers/{id}`` forwarded by the gateway, beside nginx as a plain proxy,
in one run.

``python -m benchmarks.forward [--requests N] [--rounds N] [--save]``. Both stand before the same stub pod and write
an access log. The gateway checks the token (cached), looks the routing up (cached), chooses the pod, and rewrites the
answer; nginx does none of this. Throughput and processor time are taken over 8 connections, added latency over one.
Medians of interleaved rounds. Aim: at most 5 times nginx's processor time, at most 1 ms more at p50.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from benchmarks.load import Load, Result, measure
from benchmarks.stage import Stage, request, set_up
from tricircle import __version__

RESULTS = Path(__file__).resolve().parent / "results"
AIM_CPU_RATIO = 5.0
AIM_ADDED_P50_US = 1000.0
_WARM_UP = 500
#: Scenes: connections, requests per second (None: as many as can be), share of the requests.
SCENES: dict[str, tuple[int, float | None, float]] = {
    "full": (8, None, 1.0),
    "paced": (8, 300.0, 0.25),
    "alone": (1, None, 0.25),
}


async def run(stage: Stage, *, requests: int, rounds: int) -> dict[str, Result]:
    """Medians by ``<who>-<connections>``."""
    places = {
        "nginx": (stage.nginx_port, "/v2.1/servers", stage.nginx_pids),
        "gateway": (stage.gateway_port, "/compute/v2.1/servers", stage.gateway_pids),
    }
    found: dict[str, list[Result]] = {}
    for turn in range(rounds + 1):
        for scene, (connections, per_second, share) in SCENES.items():
            for name, (port, path, pids) in places.items():
                load = Load(
                    port=port,
                    request=request(stage, path),
                    expected=stage.server_id.encode(),
                    requests=_WARM_UP if turn == 0 else int(requests * share),
                    connections=connections,
                    per_second=per_second,
                )
                result = await measure(load, pids)
                if turn:
                    found.setdefault(f"{name} {scene}", []).append(result)
    return {key: _median(results) for key, results in found.items()}


def _median(results: list[Result]) -> Result:
    def middle(name: str) -> float:
        return statistics.median(getattr(result, name) for result in results)

    return Result(
        per_second=middle("per_second"), p50_us=middle("p50_us"), p99_us=middle("p99_us"), cpu_us=middle("cpu_us")
    )


def report(found: dict[str, Result]) -> str:
    """The results as a table, with the two ratios that are aimed at."""
    lines = [f"{'':16}{'requests/s':>12}{'p50 us':>10}{'p99 us':>10}{'CPU us/request':>16}"]
    for key, result in found.items():
        lines.append(
            f"{key:16}{result.per_second:12.0f}{result.p50_us:10.0f}{result.p99_us:10.0f}{result.cpu_us:16.1f}"
        )
    for scene, (ratio, added) in ratios(found).items():
        lines.append(f"{scene}: {ratio:.1f} times nginx's CPU, {added:.0f} us added at p50")
    lines.append(f"aim: at most {AIM_CPU_RATIO:.0f} times, at most {AIM_ADDED_P50_US:.0f} us")
    return "\n".join(lines)


def ratios(found: dict[str, Result]) -> dict[str, tuple[float, float]]:
    """By scene: processor time over nginx's, and the microseconds added at p50."""
    return {
        scene: (
            found[f"gateway {scene}"].cpu_us / found[f"nginx {scene}"].cpu_us,
            found[f"gateway {scene}"].p50_us - found[f"nginx {scene}"].p50_us,
        )
        for scene in SCENES
    }


def save(found: dict[str, Result]) -> Path:
    """Write the numbers down beside those of other days."""
    RESULTS.mkdir(exist_ok=True)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    file = RESULTS / f"forward-{day}.json"
    value = {
        "version": __version__,
        "python": f"{platform.python_version()} ({platform.python_compiler()})",
        "load_average": round(os.getloadavg()[0], 1),
        "cpu_ratio": {scene: round(ratio, 1) for scene, (ratio, _) in ratios(found).items()},
        "added_p50_us": {scene: round(added) for scene, (_, added) in ratios(found).items()},
        "results": {key: {name: round(number, 1) for name, number in asdict(r).items()} for key, r in found.items()},
    }
    file.write_text(json.dumps(value, indent=2) + "\n")
    return file


def main() -> int:
    """Run, print, perhaps save. Returns 0: a slow day is no failure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=8000, help="requests per round over 8 connections")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help=f"write the numbers to {RESULTS.name}/")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tricircle-forward-") as folder, set_up(Path(folder)) as stage:
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        found = asyncio.run(run(stage, requests=chosen.requests, rounds=chosen.rounds))
    sys.stdout.write(report(found) + "\n")
    if chosen.save:
        sys.stdout.write(f"saved: {save(found)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
