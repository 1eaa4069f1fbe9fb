# SPDX-License-Identifier: Apache-2.0
"""Do the documents say what is true? No lab is needed, but for ``test_commands_on_lab.py``."""
