# SPDX-License-Identifier: Apache-2.0
"""``tricircle-manage db``: are the tables there, and right?"""

import argparse
import sys

from tricircle.conf.settings import Settings
from tricircle.store import schema


def register(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``db upgrade | downgrade | check``."""
    group = groups.add_parser("db", help="the tables of tricircle, beside those of the central Neutron")
    commands = group.add_subparsers(dest="command", metavar="COMMAND", required=True)
    upgrade = commands.add_parser("upgrade", help="create the tables, or bring them to this release")
    upgrade.add_argument("revision", nargs="?", default="head", help="default: the newest")
    upgrade.set_defaults(run=_upgrade)
    downgrade = commands.add_parser("downgrade", help="take the tables back; base removes them with all that they hold")
    downgrade.add_argument("revision", help="an older revision, or base")
    downgrade.set_defaults(run=_downgrade)
    check = commands.add_parser("check", help="compare the tables with what this release needs; exit code 1 if not")
    check.set_defaults(run=_check)


def _upgrade(settings: Settings, arguments: argparse.Namespace) -> int:
    schema.upgrade(settings.database, arguments.revision)
    return _say(schema.check(settings.database), must_be_right=arguments.revision == "head")


def _downgrade(settings: Settings, arguments: argparse.Namespace) -> int:
    schema.downgrade(settings.database, arguments.revision)
    return _say(schema.check(settings.database), must_be_right=False)


def _check(settings: Settings, arguments: argparse.Namespace) -> int:
    return _say(schema.check(settings.database), must_be_right=True)


def _say(report: schema.SchemaReport, *, must_be_right: bool) -> int:
    lines = [f"revision there: {report.current or 'none'}", f"revision expected: {report.expected}"]
    if report.is_right:
        lines.append("the tables match")
    elif must_be_right:
        lines += report.differences
        lines.append("not right: run tricircle-manage db upgrade" if report.current != report.expected else "not right")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if must_be_right and not report.is_right else 0
