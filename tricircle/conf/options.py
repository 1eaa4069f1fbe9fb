# SPDX-License-Identifier: Apache-2.0
"""Which options are there, ours (``sections``) and those of libraries that read the same file?

``etc/tricircle.conf.sample`` is generated from here.
"""

from collections.abc import Sequence

from keystoneauth1 import loading
from keystonemiddleware.auth_token import list_opts as list_auth_token_opts
from oslo_config import cfg
from oslo_log import _options as log_options
from oslo_policy import opts as policy_options

from tricircle.conf.sections import central, console, database, gateway, networking, upstream, worker

#: The section with the credentials of the service user.
SERVICE_USER = "service_user"

#: Our own sections, in the order of the sample file.
SECTIONS: dict[str, list[cfg.Opt]] = {
    "database": database.OPTIONS,
    "gateway": gateway.OPTIONS,
    "central": central.OPTIONS,
    "upstream": upstream.OPTIONS,
    "networking": networking.OPTIONS,
    "worker": worker.OPTIONS,
    "console": console.OPTIONS,
}


def list_service_user_opts(auth_type: str = "password") -> list[cfg.Opt]:
    """Options of ``[service_user]`` for one authentication plugin of keystoneauth1 (plus those of its HTTP session)."""
    return [
        *loading.get_auth_common_conf_options(),
        *loading.get_auth_plugin_conf_options(auth_type),
        *loading.get_session_conf_options(),
    ]


def list_own_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """The options that tricircle reads itself, by section."""
    return [*SECTIONS.items(), (SERVICE_USER, list_service_user_opts())]


def list_library_opts(auth_type: str = "password") -> list[tuple[str, list[cfg.Opt]]]:
    """The options that libraries read from the same file: logs, policy, token validation."""
    found: dict[str, list[cfg.Opt]] = {"DEFAULT": [], "oslo_policy": []}
    found["DEFAULT"] += [opt for _group, opts in log_options.list_opts() for opt in opts]
    for group, opts in policy_options.list_opts():
        found.setdefault(group, []).extend(opts)
    for group, opts in list_auth_token_opts():
        found.setdefault(group, []).extend(opts)
    found["keystone_authtoken"] += loading.get_auth_plugin_conf_options(auth_type)
    return list(found.items())


def list_opts() -> Sequence[tuple[str, list[cfg.Opt]]]:
    """Everything that may stand in the file, for ``oslo-config-generator`` (entry point ``oslo.config.opts``)."""
    return [*list_library_opts()[:1], *list_own_opts(), *list_library_opts()[1:]]
