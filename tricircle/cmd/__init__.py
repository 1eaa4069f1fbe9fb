# SPDX-License-Identifier: Apache-2.0
"""Which processes are there? Each module reads settings, builds what it needs, runs it, and answers an exit code.

Words: *command group* (a module of ``tricircle-manage``). May use every room. Must never: hold logic that a test would
want to reach without a process.
"""
