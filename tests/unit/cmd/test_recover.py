# SPDX-License-Identifier: Apache-2.0
"""Does the summary of a recovery say what was done, and what is to be done?"""

import json

from tricircle.cmd.manage import parser
from tricircle.cmd.recover import _document, _summary
from tricircle.recovery.report import Did, Report


def report() -> Report:
    made = Report()
    made.count("Pod1", "server", Did.WRITTEN, 3)
    made.count("Pod1", "server", Did.KEPT, 0)
    made.count("Pod2", "port", Did.KEPT, 2)
    made.note("look at this")
    made.note("look at this")
    return made


def test_the_summary() -> None:
    lines = _summary(report(), is_rehearsal=False).splitlines()
    assert lines[0].split() == ["POD", "WHAT", "KEPT", "WRITTEN", "REMOVED", "FILED", "IMPORTED"]
    assert lines[1].split() == ["Pod1", "server", "3"]
    assert lines[2].split() == ["Pod2", "port", "2"]
    assert lines[3:] == ["note: look at this", "everything that the pods hold is written down"]
    assert _summary(report(), is_rehearsal=True).endswith("nothing was written: this was a rehearsal\n")


def test_problems_come_with_what_to_do() -> None:
    made = report()
    made.problem("it is away", "Mend it.")
    text = _summary(made, is_rehearsal=False)
    assert "NOT RECOVERED: it is away\n  -> Mend it.\n" in text
    assert text.endswith("do what stands there, run this again\n")


def test_many_notes_are_cut_for_people_and_whole_for_programs() -> None:
    made = Report()
    for number in range(300):
        made.note(f"note {number}")
    text = _summary(made, is_rehearsal=False)
    assert "note: note 199\nnote: 100 more; --json shows all\n" in text
    document = json.loads(_document(made))
    assert (len(document["notes"]), document["problems"]) == (300, [])


def test_the_command_line() -> None:
    arguments = parser().parse_args(["recover", "--dry-run", "--json"])
    assert (arguments.dry_run, arguments.json) == (True, True)
