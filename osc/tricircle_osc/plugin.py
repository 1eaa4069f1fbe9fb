# SPDX-License-Identifier: Apache-2.0
"""How does openstackclient find us, and with which client do the commands work?

The names in capitals are openstackclient's plugin interface. A cloud whose catalog lacks the Admin API can name it with
``tricircle_endpoint_override`` in ``clouds.yaml`` or with ``--os-tricircle-endpoint-override``.
"""

import argparse
from typing import Any

from osc_lib import utils

from tricircle_osc.client import AdminClient

API_NAME = "tricircle"
API_VERSION_OPTION = "os_tricircle_api_version"
API_VERSIONS = {"1": "tricircle_osc.client.AdminClient"}
DEFAULT_API_VERSION = "1"
#: Under this type the central catalog has listed the Admin API since the first release.
SERVICE_TYPE = "Cascading"


def make_client(instance: Any) -> AdminClient:
    """The client of the Admin API for openstackclient's ``ClientManager``."""
    # openstackclient merges clouds.yaml and the command line (less the prefix os_) into this map.
    settings = getattr(getattr(instance, "_cli_options", None), "config", {})
    return AdminClient(
        instance.session,
        service_type=SERVICE_TYPE,
        interface=instance.interface,
        region_name=instance.region_name,
        endpoint_override=settings.get("tricircle_endpoint_override") or None,
    )


def build_option_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add our global options to openstackclient's."""
    parser.add_argument(
        "--os-tricircle-api-version",
        metavar="<tricircle-api-version>",
        default=utils.env("OS_TRICIRCLE_API_VERSION", default=DEFAULT_API_VERSION),
        help=f"Version of tricircle's Admin API, default {DEFAULT_API_VERSION} (Env: OS_TRICIRCLE_API_VERSION)",
    )
    parser.add_argument(
        "--os-tricircle-endpoint-override",
        metavar="<url>",
        default=utils.env("OS_TRICIRCLE_ENDPOINT_OVERRIDE"),
        help=(
            "Admin API to use instead of the catalog's, with version: http://host:19999/v1.0 "
            "(Env: OS_TRICIRCLE_ENDPOINT_OVERRIDE)"
        ),
    )
    return parser
