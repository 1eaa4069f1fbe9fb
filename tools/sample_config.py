# SPDX-License-Identifier: Apache-2.0
"""Which options may stand in tricircle.conf? Writes ``etc/tricircle.conf.sample`` from the options themselves.

Usage: ``python tools/sample_config.py`` writes the file, ``python tools/sample_config.py --check`` only says whether
it is fresh. The sections of libraries (logs, policy, token validation) are listed by name only: their options change
with the versions of the libraries, and ``oslo-config-generator --namespace tricircle`` prints them in full.
"""

import sys
import textwrap
from pathlib import Path

from oslo_config import cfg

from tricircle.conf import options

SAMPLE = Path(__file__).resolve().parent.parent / "etc" / "tricircle.conf.sample"
HEAD = """\
# Options of tricircle. Every option has its default behind it; uncomment a line to change it.
# Unknown keys are errors: a process that finds one ends with exit code 64 and names it.
"""
LIBRARIES = {
    "keystone_authtoken": [
        "www_authenticate_uri",
        "auth_url",
        "memcached_servers",
        "cafile",
        "auth_type",
        "username",
        "password",
        "user_domain_name",
        "project_name",
        "project_domain_name",
        "token_cache_time",
    ],
    "DEFAULT": ["debug", "log_file", "log_dir", "use_json"],
    "oslo_policy": ["policy_file", "policy_dirs"],
}
SERVICE_USER = [
    "auth_type",
    "auth_url",
    "username",
    "password",
    "user_domain_name",
    "project_name",
    "project_domain_name",
    "cafile",
]


def sample() -> str:
    """The text of the sample file."""
    parts = [HEAD]
    for section, opts in options.SECTIONS.items():
        parts.append(f"\n[{section}]\n")
        parts += [_option(opt) for opt in opts]
    parts.append(
        "\n[service_user]\n# Credentials with which tricircle acts by itself: an admin in the service project,\n"
        "# with the role service. Options are those of keystoneauth1's plugin auth_type.\n"
        + "".join(f"#{key} =\n" for key in SERVICE_USER)
    )
    for section, keys in LIBRARIES.items():
        parts.append(
            f"\n[{section}]\n# The options of the library; the usual ones are below. All of them:\n"
            "# oslo-config-generator --namespace tricircle\n" + "".join(f"#{key} =\n" for key in keys)
        )
    return "".join(parts)


def _option(opt: cfg.Opt) -> str:
    lines = [f"# {line}" for line in textwrap.wrap(opt.help, 98)]
    bounds = [f"{word} {value}" for word in ("min", "max") if (value := getattr(opt.type, word, None)) is not None]
    if bounds and not isinstance(opt, cfg.PortOpt):
        lines.append(f"# ({', '.join(bounds)})")
    default = (
        "" if opt.default is None else str(opt.default).lower() if isinstance(opt.default, bool) else str(opt.default)
    )
    return "\n" + "\n".join(lines) + f"\n#{opt.dest} = {default}".rstrip() + "\n"


def main() -> int:
    """Write or check the file; 1 when a check finds it stale."""
    fresh = sample()
    if "--check" in sys.argv[1:]:
        if not SAMPLE.is_file() or SAMPLE.read_text() != fresh:
            sys.stderr.write("etc/tricircle.conf.sample is stale: run python tools/sample_config.py\n")
            return 1
        return 0
    SAMPLE.parent.mkdir(exist_ok=True)
    SAMPLE.write_text(fresh)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
