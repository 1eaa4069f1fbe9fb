# SPDX-License-Identifier: Apache-2.0
"""Does the page on rules of server groups say what the lab does, in words that Nova and its client understand?"""

import os
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

from lab.compute_record import OPTIONS
from lab.services import nova
from lab.topology import Lab, load_lab, make_lab
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "group-rules.md"
#: What every operator has of his own.
_PLACES = {("DEFAULT", "transport_url"), ("database", "connection")}


def parsed(text: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_what_the_service_is_told_is_what_the_lab_tells_it(tmp_path: Path) -> None:
    """And where it is told more, it is what the centre's Nova is told in the lab."""
    paste = tmp_path / ".lab" / "venv" / "etc" / "nova" / "api-paste.ini"
    paste.parent.mkdir(parents=True)
    paste.touch()
    (text,) = blocks(PAGE, "ini")
    page, centre = parsed(text), parsed(nova.write_central(make_lab(tmp_path))[0].read_text())
    told = {(section, key) for section in ("DEFAULT", *page.sections()) for key in page[section]}
    told = {(section, key) for section, key in told if section == "DEFAULT" or key not in page.defaults()}
    for key, value in OPTIONS.items():
        assert page["DEFAULT"][key].lower() == str(value).lower(), key
    rest = told - {("DEFAULT", key) for key in OPTIONS} - _PLACES
    assert {section for section, _ in rest} == {"placement"}
    for section, key in rest:
        assert centre.has_option(section, key), key
    for key in ("auth_type", "region_name"):
        assert page["placement"][key] == centre["placement"][key]


def commands(*programs: str) -> list[list[str]]:
    """The page's command lines that begin with one of these words, as a shell cuts them."""
    lines = [line.split("  #")[0] for block in blocks(PAGE) for line in block.splitlines()]
    return [line.split() for line in lines if line.split()[:1] and line.split()[0] in programs]


def test_each_program_reads_the_same_files() -> None:
    (conductor, compute) = commands("nova-conductor", "timeout")
    files = ["--config-file", "/etc/nova/nova.conf", "--config-file", "/etc/nova/no-hands.conf"]
    assert conductor == ["nova-conductor", *files, "&"]
    assert compute == ["timeout", "60", "nova-compute", *files]


@pytest.fixture
def lab() -> Lab:
    return load_lab(ROOT)


@pytest.fixture
def environment(lab: Lab) -> Iterator[dict[str, str]]:
    """An administrator who asks the central Nova itself. The record counts again afterwards."""
    (address,) = [words[1] for words in commands("export")]
    name, _, url = address.partition("=")
    assert url.endswith("/v2.1")
    sections = parsed((lab.etc / "central" / "nova" / "nova.conf").read_text())
    who = sections["placement"]
    asking = {
        "PATH": f"{lab.venv}/bin:{os.environ['PATH']}",
        "HOME": str(lab.state),
        "OS_AUTH_URL": who["auth_url"],
        "OS_USERNAME": "admin",
        "OS_PASSWORD": who["password"],
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        name: f"{lab.url('nova')}/v2.1",
    }
    yield asking
    run([word.replace("--down", "--up") for word in commands("openstack")[-1]], asking)


def run(words: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(words, env=environment, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.lab
@pytest.mark.timeout(400)
def test_the_record_is_shown_and_taken_out_of_the_reckoning(lab: Lab, environment: dict[str, str]) -> None:
    listing, setting = commands("openstack")
    rows = run([*listing, "-f", "value", "-c", "Host", "-c", "Status", "-c", "State"], environment)
    assert rows.split() == [str(OPTIONS["host"]), "disabled", "down"]
    run(setting, environment)
    assert run([*listing, "--long", "-f", "value", "-c", "Forced Down"], environment).split() == ["True"]
    for program in ("nova-conductor", "nova-compute"):
        assert (lab.venv / "bin" / program).exists()
