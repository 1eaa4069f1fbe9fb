# SPDX-License-Identifier: Apache-2.0
"""Tricircle: many OpenStack deployments, one region of one cloud."""

__version__ = "9.0.0"
