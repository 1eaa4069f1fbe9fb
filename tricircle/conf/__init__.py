# SPDX-License-Identifier: Apache-2.0
"""What did the operator decide?

Words: *option* (one key of the file, ``sections``), *settings* (all options as frozen records, read once,
``settings.py``), *load* (files and command line -> settings). May use: ``errors``. Must never: be read again later,
take an unknown key silently, or hold a default that only fits one machine.
"""
