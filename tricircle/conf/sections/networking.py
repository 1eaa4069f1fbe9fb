# SPDX-License-Identifier: Apache-2.0
"""``[networking]``: what may networks that span pods use?"""

from oslo_config import cfg

OPTIONS = [
    cfg.IntOpt(
        "rules_per_remote_group",
        default=64,
        min=0,
        help="In pods whose Neutron has no security-groups-remote-address-group (before Wallaby), a security group "
        "rule that names a group becomes one rule for each address of its members, up to this number. Of a group with "
        "more members such a rule knows those in its own pod only: traffic from others stays closed. 0: always.",
    ),
]
