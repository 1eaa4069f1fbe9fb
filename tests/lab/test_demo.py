# SPDX-License-Identifier: Apache-2.0
"""Does the matrix of pings say who heard whom, and does a demo whose servers do not all hear each other say so?"""

import doctest

from lab.__main__ import SILENCE
from lab.datapath import matrix as module
from lab.datapath.matrix import drawn, matrix, unanswered

INNER = {"vm1 (az1)": "inside-1", "vm2 (az2)": "inside-2"}
ADDRESSES = {"vm1 (az1)": ["10.0.1.5", "10.0.1.6"], "vm2 (az2)": ["10.0.1.9"]}


def _answers(_namespace: str, _address: str) -> str:
    return "0.8 ms"


def test_everybody_asks_every_address_of_the_others() -> None:
    asked: list[tuple[str, str]] = []

    def ask(namespace: str, address: str) -> str:
        asked.append((namespace, address))
        return f"{address[-1]} ms"

    rows = matrix(INNER, ADDRESSES, ask=ask)
    assert sorted(asked) == [("inside-1", "10.0.1.9"), ("inside-2", "10.0.1.5"), ("inside-2", "10.0.1.6")]
    first, second, third = "to vm1 (az1) 10.0.1.5", "to vm1 (az1) 10.0.1.6", "to vm2 (az2) 10.0.1.9"
    assert rows == [
        {"from": "vm1 (az1)", first: "-", second: "-", third: "9 ms"},
        {"from": "vm2 (az2)", first: "5 ms", second: "6 ms", third: "-"},
    ]
    assert unanswered(rows) == []


def test_an_answer_that_comes_late_is_waited_for() -> None:
    silent = {"10.0.1.5": 2, "10.0.1.9": 1}

    def ask(_namespace: str, address: str) -> str | None:
        silent[address] = silent.get(address, 0) - 1
        return None if silent[address] >= 0 else "0.8 ms"

    assert unanswered(matrix(INNER, ADDRESSES, ask=ask)) == []


def test_who_has_no_answer_in_time_is_named() -> None:
    rows = matrix(INNER, ADDRESSES, seconds=0, ask=lambda _, address: None if address == "10.0.1.6" else "0.8 ms")
    assert unanswered(rows) == ["vm2 (az2) to vm1 (az1) 10.0.1.6"]
    assert "no answer" in drawn(rows)[4]
    assert "no answer: vm2 (az2) to vm1 (az1) 10.0.1.6" in SILENCE.format("; ".join(unanswered(rows)))


def test_a_server_that_nobody_could_ask_has_no_answer() -> None:
    rows = matrix(INNER, {"vm1 (az1)": ["10.0.1.5"], "vm2 (az2)": []}, ask=_answers)
    assert unanswered(rows) == ["vm1 (az1) to anybody"]
    alone = matrix({"vm1 (az1)": "inside-1"}, {"vm1 (az1)": ["10.0.1.5"]}, ask=_answers)
    assert unanswered(alone) == ["vm1 (az1) to anybody"]


def test_a_table_has_one_width() -> None:
    lines = drawn(matrix(INNER, ADDRESSES, ask=_answers))
    assert len({len(line) for line in lines}) == 1
    assert [line.count("|") for line in lines] == [0, 5, 0, 5, 5, 0]
    assert doctest.testmod(module).failed == 0
