# SPDX-License-Identifier: Apache-2.0
"""Is everything that an operator can meet in the reference: errors, metrics, events, jobs, options?"""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.metrics import MetricWrapperBase

from tests.docs.pages import ROOT, blocks, table_rows
from tricircle.conf import load
from tricircle.model.job import JobType
from tricircle.observe import events, metrics

REFERENCE = ROOT / "docs" / "reference"


def code_rows(page: str) -> dict[str, str]:
    """Rows of a page's tables by the code in their first cell; the other cells as one text."""
    return {row[0].strip("`"): " ".join(row[1:]) for row in table_rows(REFERENCE / page) if row[0].startswith("`")}


@pytest.mark.parametrize("tool", ["error_reference.py", "sample_config.py"])
def test_generated_pages_are_fresh(tool: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / tool), "--check"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def exposed_name(collector: MetricWrapperBase) -> str:
    """The name under which scrapers see a metric: counters end in ``_total``."""
    return collector._name + ("_total" if collector._type == "counter" else "")


def test_every_metric_with_its_labels() -> None:
    collectors = {
        exposed_name(value): value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)
    }
    rows = {name: text for name, text in code_rows("metrics.md").items() if name.startswith("tricircle_")}
    assert set(rows) == set(collectors)
    for name, collector in collectors.items():
        for label in collector._labelnames:
            assert f"`{label}`" in rows[name], f"{name} says nothing of its label {label}"


def test_every_event() -> None:
    rows = code_rows("metrics.md")
    for kind in get_args(events.Event):
        assert kind.code in rows


def test_every_job_type() -> None:
    assert set(code_rows("jobs.md")) == {type_.value for type_ in JobType}


def test_settings_of_the_guide_are_options(tmp_path: Path) -> None:
    text = "".join(blocks(ROOT / "docs" / "how-to" / "operate.md", "ini"))
    assert "[gateway]" in text
    file = tmp_path / "tricircle.conf"
    file.write_text(text)
    load.parse(["--config-file", str(file)], prog="tricircle-gateway")
