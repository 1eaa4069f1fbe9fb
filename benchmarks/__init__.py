# SPDX-License-Identifier: Apache-2.0
"""What does it cost? Each module measures one thing in one run and prints ratios, which travel between machines
better than numbers.
"""
