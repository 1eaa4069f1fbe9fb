# SPDX-License-Identifier: Apache-2.0
"""Settings: read once, typed, and every mistake named."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from tricircle.conf import options, settings
from tricircle.conf.load import load, load_or_exit
from tricircle.errors import SettingsError

ROOT = Path(__file__).resolve().parents[3]
GOOD = """
[DEFAULT]
debug = true
[database]
connection = mysql+asyncmy://u:p@h/neutron
[gateway]
port = 12345
public_endpoint = https://cloud.example.org/
[central]
compute_url = http://10.0.0.1:8774/
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:20500/v3
username = tricircle
password = x
memcached_servers = 127.0.0.1:20211
[service_user]
auth_type = password
auth-url = http://127.0.0.1:20500/v3
username = tricircle
user_domain_name = Default
cafile = /etc/ca.pem
[oslo_policy]
policy_file = policy.yaml
"""


def written(folder: Path, text: str) -> list[str]:
    file = folder / "tricircle.conf"
    file.write_text(text)
    return ["--config-file", str(file)]


def test_values_arrive_typed_and_without_trailing_slashes(tmp_path: Path) -> None:
    read = load(written(tmp_path, GOOD), prog="tricircle-gateway")
    assert read.gateway.port == 12345
    assert read.gateway.public_endpoint == "https://cloud.example.org"
    assert read.central.compute_url == "http://10.0.0.1:8774"
    assert read.worker.lease_s == 30.0
    assert "u:p@h" not in repr(read)


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("[gateway]\nprot = 1\n", "gateway.prot", "did you mean port"),
        ("[gatway]\nport = 1\n", "gatway", "did you mean gateway"),
        ("[keystone_authtoken]\nauth_type = password\nusernme = x\n", "keystone_authtoken.usernme", "username"),
        ("[service_user]\npasword = x\n", "service_user.pasword", "password"),
        ("[DEFAULT]\nlog_fil = x\n", "DEFAULT.log_fil", "log_file"),
        ("[gateway]\nport = many\n", "gateway.port", "port"),
        ("[gateway]\ntoken_cache_s = 61\n", "gateway.token_cache_s", "token_cache_s"),
        ("[gateway]\ntls_key = /etc/hostname\n", "gateway.tls_certificate", "tls_certificate is missing"),
        ("[upstream]\nca_file = /no/such/file\n", "upstream.ca_file", "/no/such/file"),
        ("[service_user]\nauth_type = nonsense\n", "auth_type", "nonsense"),
        ("gateway]\n", "", "tricircle.conf"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, key: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, text), prog="tricircle-gateway")
    assert caught.value.key == key
    assert words in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.conf"):
        load(["--config-file", str(tmp_path / "absent.conf")], prog="tricircle-gateway")


def test_main_functions_end_with_64_and_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load_or_exit(written(tmp_path, "[gateway]\nprot = 1\n"), prog="tricircle-gateway")
    assert caught.value.code == 64
    assert "prot" in capsys.readouterr().err


@pytest.mark.parametrize("section", sorted(options.SECTIONS))
def test_options_and_records_agree(section: str) -> None:
    record = getattr(settings, f"{section.capitalize()}Settings")
    fields = {field.name: field for field in dataclasses.fields(record)}
    assert list(fields) == [opt.dest for opt in options.SECTIONS[section]]
    for opt in options.SECTIONS[section]:
        assert opt.help.endswith("."), opt.name
        if fields[opt.dest].default is not dataclasses.MISSING:
            assert fields[opt.dest].default == opt.default, opt.name


def test_the_sample_is_fresh_and_loads(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "tools/sample_config.py", "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sample = (ROOT / "etc/tricircle.conf.sample").read_text()
    load(written(tmp_path, sample), prog="tricircle-gateway")
    our_keys = "".join(
        line.lstrip("#")
        for line in sample.partition("[service_user]")[0].splitlines(keepends=True)
        if " = " in line or "[" in line
    )
    assert (
        load(
            written(tmp_path, "\n".join(x for x in our_keys.splitlines() if not x.startswith(" "))), prog="x"
        ).gateway.port
        == 20080
    )


def test_the_generator_of_oslo_gets_every_section() -> None:
    assert {"DEFAULT", "gateway", "service_user", "keystone_authtoken", "oslo_policy"} <= {
        name for name, _ in options.list_opts()
    }
