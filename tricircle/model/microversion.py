# SPDX-License-Identifier: Apache-2.0
"""What is a microversion, and which of two is the newer? Pure."""

from typing import NamedTuple


class Version(NamedTuple):
    """A microversion; compares as numbers: 2.9 < 2.10."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


def version_of(text: str) -> Version:
    """What a text of our own or of a pod's row says; what clients write goes through ``http.microversions.parse``.

    >>> version_of("2.10") > version_of("2.9")
    True
    """
    major, _, minor = text.partition(".")
    return Version(int(major), int(minor or 0))


def lower(wanted: str, highest: str | None) -> str:
    """``wanted``, or the highest that somebody has, where that is lower.

    >>> lower("2.85", "2.9"), lower("2.85", None)
    ('2.9', '2.85')
    """
    return min(wanted, highest, key=version_of) if highest else wanted
