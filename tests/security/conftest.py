# SPDX-License-Identifier: Apache-2.0
"""One gateway for all tests of this storey that only look; its recorders forget between tests."""

from collections.abc import Iterator

import pytest

from tests.security.front import Front, front


@pytest.fixture(scope="session")
def _started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with front(tmp_path_factory.mktemp("front")) as running:
        yield running


@pytest.fixture
def gateway(_started: Front) -> Front:
    _started.pod.clear()
    _started.centre.clear()
    return _started
