# SPDX-License-Identifier: Apache-2.0
"""A running fake Keystone and settings that point at it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.keystone.fake import CONFIG, FakeKeystone, running
from tests.unit.servers import Clock
from tricircle.conf.load import load
from tricircle.conf.settings import Settings


@pytest.fixture
async def keystone() -> AsyncIterator[FakeKeystone]:
    async with running() as fake:
        yield fake


@pytest.fixture
def settings(keystone: FakeKeystone, tmp_path: Path) -> Settings:
    file = tmp_path / "tricircle.conf"
    file.write_text(CONFIG.format(url=keystone.url))
    return load(["--config-file", str(file)], prog="test")


@pytest.fixture
def clock() -> Clock:
    return Clock()
