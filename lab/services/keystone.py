# SPDX-License-Identifier: Apache-2.0
"""Which process is Keystone, with which keys, and how is it configured?"""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

from lab import ini
from lab.service import HttpAnswers, Service
from lab.services.processes import environment, uwsgi
from lab.services.sections import cache, database
from lab.topology import Lab


def write(lab: Lab, schema: str = "keystone") -> Path:
    """Write keystone.conf for one schema, and the keys if there are none; returns the file."""
    directory = lab.etc / "keystone"
    _make_keys(directory / "fernet")
    _make_keys(directory / "credential")
    sections: ini.Sections = {
        "DEFAULT": {"public_endpoint": lab.url("keystone"), "use_stderr": True},
        "database": database(lab, schema),
        # bcrypt at full strength would be most of the time of every sign-in.
        "identity": {"password_hash_rounds": 4},
        "token": {"provider": "fernet", "expiration": 86400},
        "fernet_tokens": {"key_repository": directory / "fernet"},
        # Where this one is not set, bootstrap looks in /etc/keystone.
        "fernet_receipts": {"key_repository": directory / "fernet"},
        "credential": {"key_repository": directory / "credential"},
        "cache": cache(lab),
        "oslo_messaging_notifications": {"driver": "noop"},
    }
    path = directory / f"{schema}.conf"
    ini.write(path, ini.render(sections))
    return path


def service(lab: Lab) -> Service:
    path = write(lab)
    return Service(
        name="keystone",
        command=uwsgi(lab, "keystone.wsgi.api", lab.port("keystone")),
        environment=environment(lab, OS_KEYSTONE_CONFIG_DIR=str(path.parent)),
        probe=HttpAnswers(port=lab.port("keystone"), path="/v3"),
        files=(path,),
        nice=0,  # first of all: the others need what is then put into it
    )


def _make_keys(directory: Path) -> None:
    """What fernet_setup and credential_setup write, without the start of two interpreters."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("0", "1"):
        path = directory / name
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(base64.urlsafe_b64encode(secrets.token_bytes(32)))
