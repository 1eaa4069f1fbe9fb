# SPDX-License-Identifier: Apache-2.0
"""What does the fake Nova do? The service is in ``nova.py``, and beside it one module per noun.

Must never: answer what no real Nova was seen to answer.
"""
