# SPDX-License-Identifier: Apache-2.0
"""Would every command in the documents be understood by the program that it names?"""

import argparse
import importlib.metadata
import re
import subprocess
from collections.abc import Iterator

import pytest

from lab.__main__ import _parser as lab_parser
from tests.docs.pages import ROOT, Command, commands
from tricircle.cmd.manage import parser as manage_parser
from tricircle.conf import load

#: Every line of it is commented out, so it stands for any file of an operator's.
SAMPLE = str(ROOT / "etc" / "tricircle.conf.sample")
PLUGIN = "openstack multiregion networking"


def cases(*programs: str) -> list[object]:
    """The commands of some programs, each named for its page."""
    unique = {(command.page, command.text): command for command in commands(*programs)}
    return [pytest.param(command, id=f"{command.page}: {command.text}") for command in unique.values()]


def actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and all parsers below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from actions_of(below)


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Every option that the parser, or one below it, knows."""
    return {option for one in actions_of(parser) for option in one._option_string_actions}


def options_in(text: str) -> set[str]:
    """Every long option that a command line or a form of one names."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def understood(parser: argparse.ArgumentParser, arguments: list[str], text: str) -> None:
    """Fail when the parser refuses the arguments."""
    try:
        parser.parse_args(arguments)
    except SystemExit as end:
        if end.code:
            pytest.fail(f"refused: {text}")


def check(parser: argparse.ArgumentParser, command: Command, program: str) -> None:
    """A form may only name what is there; a command line must be parsed as it is."""
    if command.is_form:
        assert options_in(command.text) <= options_of(parser), command.text
        verbs = re.match(r"[a-z-]*( [a-z-]+)?", command.text.removeprefix(program).strip())
        assert verbs is not None
        names = {name for one in actions_of(parser) for action in one._actions for name in (action.choices or ())}
        assert {word for word in verbs.group().split() if not word.startswith("-")} <= names, command.text
    else:
        understood(parser, command.words[len(program.split()) :], command.text)


@pytest.mark.parametrize("command", cases("make"))
def test_verbs_of_make(command: Command) -> None:
    verbs = dict(re.findall(r"^([a-z-]+):.*## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [word for word in command.text.split("#")[0].split()[1:] if not word.startswith("-") and "=" not in word]
    assert set(named) - {"<verb>"} <= set(verbs), command.text


def test_help_lists_every_verb() -> None:
    helped = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    listed = {line.split()[0] for line in helped.splitlines()}
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed == set(targets)


@pytest.mark.parametrize("command", cases("tricircle-manage"))
def test_commands_of_manage(command: Command) -> None:
    if command.text != "tricircle-manage":
        check(manage_parser(), command, "tricircle-manage")


@pytest.mark.parametrize("command", cases("tricircle-gateway", "tricircle-worker"))
def test_commands_of_daemons(command: Command) -> None:
    """They take oslo.config's options; the files that they name are an operator's."""
    program, *arguments = command.words
    for number, word in enumerate(arguments[:-1]):
        if word == "--config-file":
            arguments[number + 1] = SAMPLE
    try:
        load.parse(["--config-file", SAMPLE, *arguments], prog=program)
    except SystemExit as end:
        if end.code:
            pytest.fail(f"refused: {command.text}")


@pytest.mark.parametrize("command", cases("python -m lab"))
def test_commands_of_the_lab(command: Command) -> None:
    check(lab_parser(), command, "python -m lab")


@pytest.mark.parametrize("command", cases("openstack"))
def test_commands_of_openstackclient(command: Command) -> None:
    """Only ours can be parsed here; those of the stock client are run on the lab."""
    text = re.sub(r"^openstack( --os-cloud \S+)? ", "openstack ", command.text)
    if not text.startswith(PLUGIN + " ") or text.removeprefix(PLUGIN).strip() == "...":
        return
    words = text.removeprefix(PLUGIN).split()
    if words[1:2] and "|" in words[1]:  # pod list|show|create
        for verb in words[1].split("|"):
            assert entry(words[0], verb), text
        return
    # A verb may be two words, as in "job schema list".
    long = entry(words[0], "_".join(words[1:3]))
    parser = long or entry(words[0], words[1])
    assert parser is not None, text
    if Command(page=command.page, text=text).is_form:
        assert options_in(text) <= options_of(parser), text
    else:
        understood(parser, Command(page="", text=text).words[6 if long else 5 :], text)


def entry(noun: str, verb: str) -> argparse.ArgumentParser | None:
    """The parser of one of our commands, found as openstackclient finds it; None when there is no such command."""
    found = importlib.metadata.entry_points(
        group="openstack.tricircle.v1", name=f"multiregion_networking_{noun}_{verb}"
    )
    for point in found:
        parser: argparse.ArgumentParser = point.load()(None, None).get_parser(f"{PLUGIN} {noun} {verb}")
        return parser
    return None
