# SPDX-License-Identifier: Apache-2.0
"""What is done with a server that is there: shown, listed, changed, reached, ended?"""
