# SPDX-License-Identifier: Apache-2.0
"""Do the benchmarks still run as benchmarks/README.md says? What they measure is not judged here, nor their exit code,
which is about times.
"""

import asyncio
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("benchmarks.sick_pod", "--only", "refused", "--seconds", "2"), "| refused |"),
        (("benchmarks.sweep",), '"objects": 10.0'),
    ],
)
async def test_a_benchmark_runs_to_its_end(arguments: tuple[str, ...], told: str) -> None:
    """In a process of its own, with all that it starts."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, cwd=_ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, complaints = await asyncio.wait_for(process.communicate(), 300)
    assert "Traceback" not in complaints.decode(), complaints.decode()[-2000:]
    assert told in said.decode()
