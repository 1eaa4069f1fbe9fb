# SPDX-License-Identifier: Apache-2.0
"""How does a process begin that lives under eventlet? Before anything else is loaded, as the services once did."""

import sys
import threading

import eventlet


def patch():
    """Put eventlet's threads, locks and sockets in place of Python's."""
    eventlet.monkey_patch()
    # https://github.com/eventlet/eventlet/issues/592: the unpatched module looks into a list of its own.
    original = sys.modules.get("__original_module_threading")
    if original is not None:
        original.current_thread.__globals__["_active"] = threading._active  # noqa: SLF001
