# SPDX-License-Identifier: Apache-2.0
"""Do the examples in the pure modules' docstrings hold?"""

import doctest
from types import ModuleType

import pytest

from tricircle.doors.identity import catalogs
from tricircle.doors.image import images
from tricircle.road import path, rewrite, table
from tricircle.road.lists import order, paging


@pytest.mark.parametrize(
    "module", [order, paging, path, rewrite, table, catalogs, images], ids=lambda module: module.__name__
)
def test_examples(module: ModuleType) -> None:
    """Each module has some, and all are true."""
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
