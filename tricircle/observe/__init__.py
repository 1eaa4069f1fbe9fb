# SPDX-License-Identifier: Apache-2.0
"""What can an operator see of us?

Words: *event* (an observation as a type, ``events.py``), *log line* (``logs.py``), *metric* (``metrics.py``). May
use: ``conf``, ``context``, ``errors``. Must never: hold a token, a password or a body; slow a request noticeably; or
raise.
"""
