# SPDX-License-Identifier: Apache-2.0
"""How does a volume or a group come to be, of what is it made, and what is done with it?"""
