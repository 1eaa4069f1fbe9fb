# SPDX-License-Identifier: Apache-2.0
"""Does every link within the project lead somewhere?"""

from pathlib import Path

import pytest

from tests.docs.pages import links, name, pages


@pytest.mark.parametrize("page", pages(), ids=name)
def test_links(page: Path) -> None:
    missing = [target for target in links(page) if not (page.parent / target).exists()]
    assert missing == []
