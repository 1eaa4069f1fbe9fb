# SPDX-License-Identifier: Apache-2.0
"""What is declared at the centre: flavors, key pairs, server groups; who may name it, what follows a change?"""
