# SPDX-License-Identifier: Apache-2.0
"""How do Nova's and Cinder's databases compare texts? As MariaDB's and MySQL's ``utf8mb3_general_ci`` does, which is
what their tables have unless an operator chose otherwise. Pure.

Character by character: letters without case and accents, everything else by its code point, spaces at the end do not
count. It is checked against MariaDB in ``tests/store/test_collation.py``.
"""

import unicodedata
from functools import lru_cache

#: What stands for everything outside of the Basic Multilingual Plane.
_REPLACEMENT = "\ufffd"


def key(text: str) -> str:
    """What a text is compared by.

    >>> key("Ärger ") == key("arger"), key("x_") > key("xz")
    (True, True)
    """
    bare = text.rstrip(" ")
    return bare.upper() if bare.isascii() else "".join(map(_weight, bare))


@lru_cache(4096)
def _weight(char: str) -> str:
    if ord(char) > 0xFFFF:
        return _REPLACEMENT
    return _EXCEPTIONS.get(char) or _upper(_base(_upper(_base(char))))


def _base(char: str) -> str:
    # The collation's tables take accents from letters of alphabets only.
    return _OLD.normalize("NFD", char)[0] if char < _LAST_LETTER else char


def _upper(char: str) -> str:
    upper = char.upper()
    return upper if len(upper) == 1 and _OLD.category(upper) != "Cn" else char


#: The collation's tables are those of an old Unicode.
_OLD = unicodedata.ucd_3_2_0
_LAST_LETTER = "\u2000"
#: Where they differ from what follows from it.
_EXCEPTIONS = {"ß": "S", "Й": "Й", "й": "Й"}
