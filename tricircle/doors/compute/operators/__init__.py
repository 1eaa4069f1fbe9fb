# SPDX-License-Identifier: Apache-2.0
"""What do administrators see and do with the hosts behind the pods, and with aggregates and AZs?"""
