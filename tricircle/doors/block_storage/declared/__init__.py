# SPDX-License-Identifier: Apache-2.0
"""What is declared at the centre: volume types, QoS specs, group types; what follows a change?"""
