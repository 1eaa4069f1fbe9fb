# SPDX-License-Identifier: Apache-2.0
"""Which commands speak the Admin API v1.0? One module per noun."""
