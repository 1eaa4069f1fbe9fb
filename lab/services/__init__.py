# SPDX-License-Identifier: Apache-2.0
"""Which processes make up the lab, and what stands in their configuration files."""
