# SPDX-License-Identifier: Apache-2.0
"""Do the examples hold that say of what copies consist?"""

import doctest
from types import ModuleType

import pytest

from tricircle.copies import flavor_content, subnet_content


@pytest.mark.parametrize("module", [flavor_content, subnet_content], ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    """Each module has some, and all are true."""
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
