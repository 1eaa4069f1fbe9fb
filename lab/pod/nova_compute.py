# SPDX-License-Identifier: Apache-2.0
"""nova-compute as a process of its own, with the imitated hypervisor."""

from nova.cmd import compute  # isort: skip  (first: it decides for native threads)

from lab.pod import hypervisor, patience

if __name__ == "__main__":
    hypervisor.install()
    patience.wait_for_identity()
    compute.main()
