# SPDX-License-Identifier: Apache-2.0
"""What do the services of an older release need to run in a pod of the lab? They know no native threads yet."""
