# SPDX-License-Identifier: Apache-2.0
"""How much storage may a project have, and how much has it?"""
