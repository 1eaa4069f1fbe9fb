# SPDX-License-Identifier: Apache-2.0
"""How much of unfinished answers may one upstream have in our memory?"""

from dataclasses import dataclass

#: An answer that holds no more than this is never broken off for the room that others take; bytes.
_FAIR_SHARE = 4 * 1024 * 1024


class AnswerTooLargeError(Exception):
    """There is no room for the rest of an answer. That is our limit: it says little about the upstream."""


@dataclass(slots=True)
class Room:
    """How many bytes of unfinished answers one upstream may have in our memory, and how many it has.

    When it is full, answers above the fair share are broken off as they go on, and all others end. So it holds at
    most its limit and a fair share per connection.
    """

    limit: int
    taken: int = 0
    share: int = _FAIR_SHARE

    def is_over(self, held: int) -> bool:
        """Whether an answer that holds so many bytes has to make room."""
        return self.taken > self.limit and held > self.share
