# SPDX-License-Identifier: Apache-2.0
"""Does the installation guide configure the central Neutron as the lab does, with plugins that exist?"""

import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

from lab.services import central
from lab.topology import make_lab
from tests.docs.pages import ROOT, blocks

#: Values that an operator reads as lists; their order does not matter.
_LISTS = ("service_plugins", "type_drivers", "extension_drivers")


def parsed(*texts: str) -> ConfigParser:
    """Ini files as one."""
    parser = ConfigParser(strict=False, interpolation=None)
    for text in texts:
        parser.read_string(text)
    return parser


@pytest.fixture
def guide() -> ConfigParser:
    """What the guide says."""
    return parsed(*blocks(ROOT / "docs" / "how-to" / "install.md", "ini"))


@pytest.fixture
def of_lab(tmp_path: Path) -> ConfigParser:
    """What the lab writes."""
    files = central.write_neutron(make_lab(tmp_path), stock=False)
    return parsed(*(file.read_text() for file in files))


def test_every_option_is_the_labs(guide: ConfigParser, of_lab: ConfigParser) -> None:
    checked = 0
    for section in ("DEFAULT", *guide.sections()):
        for key, value in guide.items(section) if section == "DEFAULT" else guide._sections[section].items():  # type: ignore[attr-defined]
            there = of_lab.get(section, key)
            if key in _LISTS:
                assert sorted(value.split(",")) == sorted(there.replace(" ", "").split(",")), key
            elif key == "network_vlan_ranges":
                # The lab has one more, which is soon used up.
                assert set(value.split(",")) <= set(there.split(",")), key
            else:
                assert value.lower() == there.lower(), key
            checked += 1
    assert checked >= 6


def test_our_plugins_are_entry_points(guide: ConfigParser) -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    ours = [name for name in guide["DEFAULT"]["service_plugins"].split(",") if name.startswith("tricircle")]
    assert ours
    assert set(ours) <= set(points["neutron.service_plugins"])
    assert guide["ml2"]["mechanism_drivers"] in points["neutron.ml2.mechanism_drivers"]
    assert set(guide["ml2"]["type_drivers"].split(",")) >= set(points["neutron.ml2.type_drivers"])
    assert guide["DEFAULT"]["ipam_driver"] in points["neutron.ipam_drivers"]
