# SPDX-License-Identifier: Apache-2.0
"""Do settings keep their secrets: in dumps, in what programs say about mistakes, and in records that are printed?"""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.road.scripted import caller
from tricircle.conf.load import load
from tricircle.errors import SettingsError
from tricircle.http.message import Answer, Request
from tricircle.keystone.tokens import Validator
from tricircle.upstream.reply import Call, Reply

SECRETS = {
    "database": "canary-db-pw-1a2b",
    "authtoken": "canary-ks-pw-3c4d",
    "service": "canary-svc-pw-5e6f",
    "memcache": "canary-memcache-7a8b",
}
CONFIG = """
[DEFAULT]
[database]
connection = mysql://tricircle:{database}@127.0.0.1:1/neutron
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:1/v3
username = tricircle
password = {authtoken}
memcache_security_strategy = ENCRYPT
memcache_secret_key = {memcache}
[service_user]
auth_type = password
auth_url = http://127.0.0.1:1/v3
username = tricircle
password = {service}
"""
#: A line of a file, and what is wrong with it.
MISTAKES = {
    "no equals sign": "[service_user]\npassword canary-typo-9c9c",
    "no section": "password = canary-typo-9c9c",
    "unknown option": "[service_user]\npasword = canary-typo-9c9c",
    "no URL": "[database]\nconnection = canary-typo-9c9c",
    "URL with a bad port": "[database]\nconnection = mysql://u:canary-typo-9c9c@host:port/db",
    "unknown database": "[database]\nconnection = oracle+nothing://u:canary-typo-9c9c@host/db",
    "space in the URL": "[database]\nconnection = mysql://u:canary typo-9c9c@[host/db",
    "unreachable database": "[database]\nconnection = mysql://u:canary-typo-9c9c@127.0.0.1:1/db",
    "query of the URL": "[database]\nconnection = mysql://u:x@127.0.0.1:1/db?password=canary-typo-9c9c&nonsense=1",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "tricircle.conf"
    file.write_text(CONFIG.format(**SECRETS))
    return file


def test_a_dump_of_all_settings_masks_what_is_secret(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = load(["--config-file", str(config), "--debug"], prog="test")
    validator = Validator(settings)
    validator._made("compute")  # registers the options of the library
    with caplog.at_level(logging.DEBUG):
        settings.raw.log_opt_values(logging.getLogger("dump"), logging.DEBUG)
    validator.close()
    assert "keystone_authtoken.memcache_secret_key" in caplog.text
    assert "database.connection" in caplog.text
    for secret in SECRETS.values():
        assert secret not in caplog.text
        assert secret not in repr(settings)


@pytest.mark.parametrize(
    ("mistake", "words"),
    [(name, ["--debug", "db", "check"]) for name in MISTAKES] + [("unreachable database", ["pod", "list"])],
)
def test_what_is_said_of_a_mistake_holds_no_secret(tmp_path: Path, mistake: str, words: list[str]) -> None:
    file = tmp_path / "tricircle.conf"
    file.write_text(MISTAKES[mistake] + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "tricircle.cmd.manage", "--config-file", str(file), *words],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert done.stderr
    assert "typo-9c9c" not in done.stdout + done.stderr


def test_a_line_that_cannot_be_read_is_named_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "tricircle.conf"
    file.write_text(MISTAKES["no equals sign"] + "\n")
    with pytest.raises(SettingsError, match=r"tricircle\.conf.*2") as raised:
        load(["--config-file", str(file)], prog="test")
    assert "9c9c" not in str(raised.value)


async def test_records_that_hold_tokens_and_bodies_do_not_show_them() -> None:
    """Records are printed by debuggers, by asserts and by careless log lines."""
    headers = [(b"x-auth-token", b"canary-token")]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b'{"adminPass": "canary-body"}'}

    asked = Request(
        method="POST", path="/", query=b"", headers=headers, receive=receive, body_limit=100, context=caller()
    )
    await asked.body()
    records = [
        asked,
        Call(method="GET", path="/", headers=headers, body=b"canary-body"),
        Reply(status=200, headers=headers, body=b"canary-body"),
        Answer(status=200, headers=headers, body=b"canary-body"),
        caller(),
    ]
    assert "canary" not in repr(records)
    assert caller().token
    assert caller().token not in repr(records)
