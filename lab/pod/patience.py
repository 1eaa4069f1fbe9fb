# SPDX-License-Identifier: Apache-2.0
"""When may a service begin to call others? Once Keystone knows all regions, users and endpoints.

All processes start at once, for most of a start is the loading of Python. A compute service that
finds no Placement in the catalog would try again only after a minute.
"""

import os
import time
from pathlib import Path

VARIABLE = "LAB_IDENTITY_READY"  # names a file that exists once Keystone is filled
SECONDS = 120
_PAUSE_SECONDS = 0.05


def wait_for_identity():
    """Return once the file exists. Raises TimeoutError."""
    path = Path(os.environ[VARIABLE])
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} does not appear")
        time.sleep(_PAUSE_SECONDS)
