# SPDX-License-Identifier: Apache-2.0
"""How many servers may a project have, how many has it, and what did it use?"""
