# SPDX-License-Identifier: Apache-2.0
"""``tricircle-manage``: which command group was asked for? It only dispatches; each group is a module beside this one.

A group module has ``register(groups)``: it adds its parser and sets ``run`` (settings, arguments -> exit code) as the
default of each command. Exit codes: 0 done, 1 not as it should be, 2 wrong command line, 64 wrong settings.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Protocol

from tricircle.cmd import catalog, db, job, pod, sweep
from tricircle.conf.load import load_or_exit
from tricircle.errors import TricircleError

PROG = "tricircle-manage"


class Group(Protocol):
    """A module with commands."""

    def register(self, groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
        """Add the group's parser."""


#: Every group, in the order of ``--help``.
GROUPS: tuple[Group, ...] = (db, catalog, pod, job, sweep)


def parser() -> argparse.ArgumentParser:
    """The command line, all groups included."""
    top = argparse.ArgumentParser(prog=PROG, description="Look after a tricircle installation.")
    top.add_argument("--config-file", action="append", default=[], metavar="FILE", help="settings; may be repeated")
    top.add_argument("--config-dir", action="append", default=[], metavar="DIR", help="folder of *.conf files")
    top.add_argument("--debug", action="store_true", help="show tracebacks and debug lines")
    groups = top.add_subparsers(dest="group", metavar="GROUP", required=True)
    for group in GROUPS:
        group.register(groups)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code; wrong settings end the process with 64."""
    arguments = parser().parse_args(argv)
    files = [part for file in arguments.config_file for part in ("--config-file", file)]
    folders = [part for folder in arguments.config_dir for part in ("--config-dir", folder)]
    debug = ["--debug"] if arguments.debug else []
    settings = load_or_exit([*files, *folders, *debug], prog=PROG)
    try:
        code: int = arguments.run(settings, arguments)
    except TricircleError as error:
        if arguments.debug:
            raise
        sys.stderr.write(f"{PROG}: {error.message}{_cause(error)}\n")
        if not settings.raw.config_file and not settings.raw.config_dir:
            sys.stderr.write(
                f"{PROG}: no configuration file was found; name one with --config-file before the command\n"
            )
        return 1
    return code


def _cause(error: TricircleError) -> str:
    """What a library said, if it says more than the message: its first line, since the others are advice to us."""
    said = str(error.__cause__ or "").split("\n", 1)[0]
    return f" ({said})" if said and said not in error.message else ""


if __name__ == "__main__":
    sys.exit(main())
