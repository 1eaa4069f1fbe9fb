# SPDX-License-Identifier: Apache-2.0
"""Is a size that nobody can read refused, and not a failure of ours?"""

import pytest

from tricircle.doors.block_storage.volumes.volumes import _wanted_size
from tricircle.doors.compute.boots.devices import _size
from tricircle.errors import InvalidRequestError

UNREADABLE = ["9" * 5000, "\u0663", "\u00b2", "", " 1", "-1", "1.5", "x"]


@pytest.mark.parametrize("size", UNREADABLE)
def test_a_volume_of_no_size_is_refused(size: str) -> None:
    with pytest.raises(InvalidRequestError, match="Invalid input for field/attribute size"):
        _wanted_size({"size": size})


@pytest.mark.parametrize("size", UNREADABLE)
def test_a_device_of_no_size_counts_nothing(size: str) -> None:
    """Nova has been asked before, and says what is wrong with it."""
    assert _size(size) == 0


def test_sizes() -> None:
    assert (_wanted_size({"size": "7"}), _wanted_size({"size": 7}), _wanted_size({})) == (7, 7, 0)
    assert (_size("7"), _size(7), _size(True)) == (7, 7, 0)
