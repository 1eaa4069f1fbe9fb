# SPDX-License-Identifier: Apache-2.0
"""What does the fake Neutron do? The service is in ``neutron.py``, and beside it one module per noun.

Must never: answer what no real Neutron was seen to answer.
"""
