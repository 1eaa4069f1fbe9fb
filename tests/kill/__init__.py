# SPDX-License-Identifier: Apache-2.0
"""Is anything lost, doubled or left behind when a process of ours dies at any of its calls?"""
