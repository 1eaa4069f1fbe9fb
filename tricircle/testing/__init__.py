# SPDX-License-Identifier: Apache-2.0
"""What stands in for pods and Keystone in tests? Fakes that are *verified*: ``tests/contract`` runs against them and
against real services.

Words: *fake* (a service in memory, as an ASGI app), *asked* and *said* (one call and its answer), *ailment* (what a
service suffers from, on command). May use: the standard library, and ``aiohttp`` in ``listener.py`` alone. Must never:
be imported by anything but tests, know tricircle, or answer what no real service was seen to answer.
"""
