# SPDX-License-Identifier: Apache-2.0
"""Can a client tell tricircle from one real cloud? Other people's tests answer: Tempest, unmodified.

Words: a *target* is where the tests run: ``pod`` (directly on Pod1), ``one`` (through tricircle with one pod),
``three`` (through tricircle with three pods in two zones). A *set* is which tests: the OpenStack Powered list, or all
of the compute, volume, image and network API tests. Results lie in ``.lab/conformance``; the report in ``docs``.
"""
