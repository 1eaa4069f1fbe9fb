# SPDX-License-Identifier: Apache-2.0
"""Does a path find its row?"""

import pytest

from tricircle.model.routing import Kind
from tricircle.road.path import canonical
from tricircle.road.row import Behaviour, Row
from tricircle.road.table import DoorTable, Match, NotAllowed, Table


def row(methods: str, path: str, **more: str) -> Row:
    return Row(tuple(methods.split()), path, Behaviour.CENTRAL, **more)  # type: ignore[arg-type]


TABLE = Table(
    [
        row("GET POST", "/servers"),
        row("GET", "/servers/detail"),
        row("GET PUT DELETE", "/servers/{server_id}"),
        row("POST", "/servers/{id}/action"),
        row("GET POST", "/servers/{server_id}/{rest...}"),
        row("GET", "/old", max_version="2.35"),
        row("GET", "/new", min_version="2.60"),
        row("GET", "/both", max_version="2.52"),
        row("GET", "/both", min_version="2.53"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "template", "params"),
    [
        ("GET", "servers", "/servers", {}),
        ("GET", "servers/detail", "/servers/detail", {}),
        ("DELETE", "servers/detail", "/servers/{server_id}", {"server_id": "detail"}),
        ("PUT", "servers/7", "/servers/{server_id}", {"server_id": "7"}),
        ("POST", "servers/7/action", "/servers/{id}/action", {"id": "7"}),
        ("GET", "servers/7/action", "/servers/{server_id}/{rest...}", {"server_id": "7", "rest": "action"}),
        ("GET", "servers/7/a/b", "/servers/{server_id}/{rest...}", {"server_id": "7", "rest": "a/b"}),
    ],
)
def test_match(method: str, path: str, template: str, params: dict[str, str]) -> None:
    """Fixed segments before parameters before tails, and the verb decides among them."""
    match = TABLE.match(method, path.split("/"))
    assert isinstance(match, Match)
    found = match.at(None)
    assert found is not None
    assert (found[0].path, found[1]) == (template, params)


def test_known_path_with_another_verb() -> None:
    """The verbs that are known are named."""
    assert TABLE.match("PATCH", ["servers", "detail"]) == NotAllowed(("DELETE", "GET", "PUT"), is_fixed=True)
    assert TABLE.match("PATCH", ["servers", "7"]) == NotAllowed(("DELETE", "GET", "PUT"), is_fixed=False)


@pytest.mark.parametrize("path", ["flavors", "", "server"])
def test_unknown_path(path: str) -> None:
    """Nothing stands there."""
    assert TABLE.match("GET", [part for part in path.split("/") if part]) is None


@pytest.mark.parametrize(
    ("path", "version", "is_there"),
    [
        ("old", (2, 35), True),
        ("old", (2, 36), False),
        ("new", (2, 59), False),
        ("new", (2, 60), True),
        ("new", None, True),
        ("both", (2, 1), True),
        ("both", (2, 90), True),
    ],
)
def test_rows_by_microversion(path: str, version: tuple[int, int] | None, *, is_there: bool) -> None:
    """A row exists from its lowest to its highest version."""
    match = TABLE.match("GET", [path])
    assert isinstance(match, Match)
    found = match.at(version)
    assert (found is not None) == is_there
    if path == "both" and found is not None and version is not None:
        assert (found[0].min_version is None) == (version < (2, 53))


def test_two_rows_that_say_the_same_are_refused() -> None:
    """The start fails, not a request."""
    with pytest.raises(ValueError, match=r"/a/\{x\}"):
        Table([row("GET", "/a/{y}"), row("GET POST", "/a/{x}")])


@pytest.mark.parametrize(
    ("behaviour", "more"),
    [(Behaviour.PLACE, {}), (Behaviour.OURS, {}), (Behaviour.ROUTE, {"kind": Kind.SERVER}), (Behaviour.GATHER, {})],
)
def test_rows_that_cannot_work_are_refused(behaviour: Behaviour, more: dict[str, Kind]) -> None:
    """The start fails, not a request."""
    with pytest.raises(ValueError, match="/x"):
        Row(("GET",), "/x", behaviour, **more)  # type: ignore[arg-type]


DOOR = DoorTable(
    [row("GET", "/"), row("GET", "/servers"), row("GET", "/bad")],
    versions=["v2.1"],
    root_rows=[row("GET", "/")],
    is_project_optional=True,
)


@pytest.mark.parametrize(
    ("path", "root", "project", "rest"),
    [
        ("/", "", None, "/"),
        ("/v2.1", "/v2.1", None, "/"),
        ("/v2.1/", "/v2.1", None, "/"),
        ("/v2.1/servers", "/v2.1", None, "/servers"),
        ("/v2.1/0f-a/servers", "/v2.1/0f-a", "0f-a", "/servers"),
        ("/v2.1/0f-a", "/v2.1/0f-a", "0f-a", "/"),
        ("/v2.1/bad", "/v2.1", None, "/bad"),
        ("/v9/servers", "", None, "/v9/servers"),
    ],
)
def test_split(path: str, root: str, project: str | None, rest: str) -> None:
    """Version and project id are found; a word of the table is never taken for a project."""
    split = DOOR.split(canonical(path))
    assert (split.root, split.project_id, "/" + "/".join(split.rest)) == (root, project, rest)


def test_root_rows_stand_apart() -> None:
    """Without a version only the root's rows are seen."""
    assert isinstance(DOOR.match("GET", DOOR.split(canonical("/"))), Match)
    assert DOOR.match("GET", DOOR.split(canonical("/servers"))) is None
