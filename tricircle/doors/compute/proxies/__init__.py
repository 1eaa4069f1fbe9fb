# SPDX-License-Identifier: Apache-2.0
"""What does Nova's API do for other services, or they through it?"""
