# SPDX-License-Identifier: Apache-2.0
"""How does an image exist in a pod that has a Glance of its own, and how does one that a pod made come home?"""
