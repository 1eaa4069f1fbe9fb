# SPDX-License-Identifier: Apache-2.0
"""What do all storeys of tests share?"""
