# SPDX-License-Identifier: Apache-2.0
"""What does the fake Cinder do? The service is in ``cinder.py``, and beside it one module per noun.

Must never: answer what no real Cinder was seen to answer.
"""
