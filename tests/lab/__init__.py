# SPDX-License-Identifier: Apache-2.0
"""Does the lab do what it says: its decisions here, its processes and pods where they run."""
