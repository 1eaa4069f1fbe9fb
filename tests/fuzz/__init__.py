# SPDX-License-Identifier: Apache-2.0
"""What do the doors say to bad input, and does a real service say the same?"""
