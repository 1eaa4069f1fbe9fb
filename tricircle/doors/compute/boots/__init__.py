# SPDX-License-Identifier: Apache-2.0
"""How does a server come to be: what does a request ask for, in which pod, with which ports, and how is it undone?"""
