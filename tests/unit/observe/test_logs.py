# SPDX-License-Identifier: Apache-2.0
"""Every line knows its request."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tricircle.conf.load import load
from tricircle.observe import logs


@pytest.fixture
def quiet_afterwards() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, factory = root.handlers[:], root.level, logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(factory)
    logging.captureWarnings(capture=False)
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("quiet_afterwards")
async def test_lines_of_parallel_requests_carry_their_own_ids(tmp_path: Path) -> None:
    file = tmp_path / "out.log"
    logs.setup(load(["--log-file", str(file)], prog="test").raw, "test")
    log = logging.getLogger("tricircle.test")

    async def work(name: str) -> None:
        token = logs.begin(f"req-{name}", f"global-{name}")
        await asyncio.sleep(0)
        log.info("line of %s", name)
        logs.end(token)
        log.info("after %s", name)

    await asyncio.gather(work("a"), work("b"))
    lines = file.read_text().splitlines()
    assert any("req-a" in line and "global-a" in line and line.endswith("line of a") for line in lines)
    assert any("req-b" in line and line.endswith("line of b") for line in lines)
    assert not any("req-" in line for line in lines if "after" in line)


@pytest.mark.usefixtures("quiet_afterwards")
@pytest.mark.parametrize("form", [[], ["--use-json"]])
def test_access_lines_go_where_all_lines_go(tmp_path: Path, form: list[str]) -> None:
    file = tmp_path / "out.log"
    logs.setup(load(["--log-file", str(file), *form], prog="test").raw, "test")
    access = logs.AccessLog()
    said = {"request_id": "req-1", "global_request_id": None, "user": "u1", "project": "p1"}
    access.write(**said, text='192.0.2.1 "GET /x" status: 200')
    file.rename(tmp_path / "rotated.log")
    logging.getLogger("tricircle.test").info("opens the file again")
    access.write(**said, text="second")
    first, second = (tmp_path / "rotated.log").read_text(), file.read_text()
    assert "req-1" in first
    assert "GET /x" in first
    assert "second" in second
    if not form:
        assert "INFO tricircle.access [- req-1 u1 p1] 192.0.2.1" in first
