# SPDX-License-Identifier: Apache-2.0
"""How does a WSGI service load quickly? Without the garbage collector looking on.

Loading makes a million objects that stay for ever. Walking them again and again is a fifth of the
time of a start, and later a part of every request. LAB_APPLICATION names the module to load.
"""

import gc

gc.disable()

import importlib  # noqa: E402
import os  # noqa: E402

application = importlib.import_module(os.environ["LAB_APPLICATION"]).application

gc.freeze()
gc.enable()
