# SPDX-License-Identifier: Apache-2.0
"""Which table of good requests belongs to which door?"""

from collections.abc import Callable, Iterator

from tests.fuzz import other_calls
from tests.fuzz.calls import Call, compute
from tests.fuzz.storage_calls import block_storage

DOORS: dict[str, Callable[[], Iterator[Call]]] = {
    "compute": compute,
    "block-storage": block_storage,
    "image": other_calls.image,
    "network": other_calls.network,
    "identity": other_calls.identity,
    "admin": other_calls.admin,
}
