# SPDX-License-Identifier: Apache-2.0
"""``[central]``: where is the centre?"""

from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt(
        "compute_url",
        default="http://127.0.0.1:20774",
        help="Root of the central Nova API as the gateway reaches it, without version. Users never see it.",
    ),
    cfg.StrOpt(
        "block_storage_url", default="http://127.0.0.1:20776", help="Root of the central Cinder API, without version."
    ),
    cfg.StrOpt("image_url", default="http://127.0.0.1:20292", help="Root of the central Glance, without version."),
    cfg.StrOpt("network_url", default="http://127.0.0.1:20696", help="Root of the central Neutron, without version."),
    cfg.StrOpt("identity_url", default="http://127.0.0.1:20500", help="Root of Keystone, without version."),
]
