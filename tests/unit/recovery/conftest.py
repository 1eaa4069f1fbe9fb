# SPDX-License-Identifier: Apache-2.0
"""A centre and its pods, as those of the tests of pods."""

from tests.unit.pods.conftest import bench, empty_database, engine

__all__ = ["bench", "empty_database", "engine"]
