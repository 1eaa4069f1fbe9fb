# SPDX-License-Identifier: Apache-2.0
"""What do administrators see and do with the storage hosts behind the pods?"""
