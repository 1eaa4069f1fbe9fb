# SPDX-License-Identifier: Apache-2.0
"""Does the whole application answer as its reference says? In one process, on a real database, before doubles of
other services."""
