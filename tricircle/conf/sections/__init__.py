# SPDX-License-Identifier: Apache-2.0
"""What may stand in each section of the configuration file? One module per section, named as it is.

Every help text says the unit, the effect, and when to change it. May use: oslo.config only.
"""
