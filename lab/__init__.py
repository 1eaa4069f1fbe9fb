# SPDX-License-Identifier: Apache-2.0
"""A developer's lab: real OpenStack services as a centre and several pods on one machine."""
