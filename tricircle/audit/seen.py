# SPDX-License-Identifier: Apache-2.0
"""Which ids were in a list, remembered in eight bytes each? Pure.

A pod may hold a million servers; their ids as text would take 90 MB. Two different ids fall on one number with a
probability of 10^-13 for a pair among a million; then what is gone is noticed when its neighbour goes too, and nothing
is harmed.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b


class Seen:
    """Ids that were added. Ask only when all are in: the first question sorts them.

    >>> seen = Seen()
    >>> seen.add(["4f", "5a"])
    >>> "4f" in seen, "6b" in seen, len(seen)
    (True, False, 2)
    """

    def __init__(self) -> None:
        self._numbers = array("Q")
        self._is_sorted = True

    def add(self, ids: Iterable[str]) -> None:
        """Remember these; one that is there already counts twice."""
        self._numbers.extend(_number(one) for one in ids)
        self._is_sorted = False

    def __contains__(self, one: object) -> bool:
        if not self._is_sorted:
            self._numbers = array("Q", sorted(self._numbers))
            self._is_sorted = True
        number = _number(str(one))
        place = bisect_left(self._numbers, number)
        return place < len(self._numbers) and self._numbers[place] == number

    def __len__(self) -> int:
        return len(self._numbers)


def _number(one: str) -> int:
    return int.from_bytes(blake2b(one.encode(), digest_size=8).digest(), "big")
