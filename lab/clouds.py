# SPDX-License-Identifier: Apache-2.0
"""Under which names do clients find the lab: clouds.yaml, openrc and the variables of `env`?"""

from __future__ import annotations

import shlex

from lab import ini
from lab.topology import CENTRAL_REGION, PASSWORD, Lab

# A variable of another openrc would win over clouds.yaml.
_FORGET = r"unset $(env | sed -n 's/^\(OS_[A-Za-z_]*\)=.*/\1/p')"


def write(lab: Lab) -> None:
    """Write .lab/clouds.yaml and .lab/openrc."""
    ini.write(lab.state / "clouds.yaml", clouds_yaml(lab))
    ini.write(lab.state / "openrc", exports(lab))


def clouds_yaml(lab: Lab) -> str:
    """The clouds tricircle, tricircle-alt and tricircle-admin, and pod1, pod2, ... for operators."""
    central = lab.central_keystone
    clouds = [
        _cloud("tricircle", central, CENTRAL_REGION, "demo", "demo"),
        _cloud("tricircle-alt", central, CENTRAL_REGION, "alt", "alt"),
        _cloud("tricircle-admin", central, CENTRAL_REGION, "admin", "admin"),
    ]
    clouds += [_cloud(pod.name, lab.keystone, pod.region, "admin", "admin") for pod in lab.pods]
    return "clouds:\n" + "".join(clouds)


def variables(lab: Lab) -> dict[str, str]:
    """What a shell needs to use the lab with stock clients."""
    return {
        "OS_CLIENT_CONFIG_FILE": str(lab.state / "clouds.yaml"),
        "OS_CLOUD": "tricircle",
    }


def exports(lab: Lab) -> str:
    """Lines for a shell; the lab's own clients come first in PATH."""
    lines = [_FORGET, *(f"export {name}={shlex.quote(value)}" for name, value in variables(lab).items())]
    lines.append(f'export PATH={shlex.quote(str(lab.venv / "bin"))}:"$PATH"')
    return "\n".join(lines) + "\n"


def _cloud(name: str, keystone: str, region: str, user: str, project: str) -> str:
    return f"""\
  {name}:
    auth_type: password
    auth:
      auth_url: {keystone}
      username: {user}
      password: {PASSWORD}
      project_name: {project}
      user_domain_id: default
      project_domain_id: default
    region_name: {region}
    interface: public
    identity_api_version: 3
"""
