# SPDX-License-Identifier: Apache-2.0
"""What are the records, and which rules do they keep? Pure: no I/O, no SQL, no HTTP."""
