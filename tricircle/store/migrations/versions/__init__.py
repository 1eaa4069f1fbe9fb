# SPDX-License-Identifier: Apache-2.0
"""Which steps are there? One module per step, numbered in order; a released step is never edited."""
