# SPDX-License-Identifier: Apache-2.0
"""Which schemas do Nova and Tempest themselves have for answers, and does an answer keep them?

Runs in *their* environments, which the project does not share: ``python upstream.py nova`` or ``tempest``. It reads one
call with its answer per line (JSON), and writes one verdict per line. Nothing is copied: schemas are taken from Nova's
controllers, and from what Tempest's clients do with an answer when they are called.
"""

import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
#: (service, verb, path template, action or ""), and the versions from which on something holds, each with its check.
Key = tuple[str, str, str, str]
Check = Callable[[Json], None]
Range = tuple[tuple[int, int], Check]


def number(text: object, default: tuple[int, int]) -> tuple[int, int]:
    """``2.69`` as numbers."""
    major, dot, minor = str(text or "").partition(".")
    return (int(major), int(minor)) if dot and minor.isdigit() else default


# --- Nova ------------------------------------------------------------------------------------------------------------


def of_nova() -> Iterator[tuple[Key, list[Range]]]:
    """The response schemas of Nova's controllers."""
    from nova.api.openstack.compute import routes
    from nova.api.validation import validators

    def check(schema: Json) -> Check:
        return lambda call: validators._SchemaValidator(schema, False, True).validate(call["body"])

    def ranges(function: Any) -> list[Range]:
        found = getattr(function, "response_body_schemas", None)
        return [(_lowest(low), check(schema)) for schema, low, _ in (found._schemas if found else ())]

    for path, methods in routes.ROUTE_LIST:
        for verb, (made, name) in methods.items() if isinstance(methods, dict) else ():
            controller, others = made.args
            if name != "action":
                yield ("compute", verb, path, ""), ranges(getattr(controller, name, None))
                continue
            for one in (controller, *others):
                for action, function in one.wsgi_actions.items():
                    yield ("compute", verb, path, action), ranges(getattr(one, function))


def _lowest(low: Any) -> tuple[int, int]:
    return (2, 1) if low.is_null() else max((2, 1), (low.ver_major, low.ver_minor))


# --- Tempest ---------------------------------------------------------------------------------------------------------


class _Captured(Exception):  # noqa: N818 - not an error: what the client was about to check
    pass


class _Told(dict):  # type: ignore[type-arg]
    """An answer as Tempest's clients see it."""

    def __init__(self, status: int, headers: Json) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})
        self.status = status


def of_tempest() -> Iterator[tuple[Key, list[Range]]]:
    """What Tempest's clients check an answer with: each is called, and stopped when it is about to check."""
    from tempest.lib.common import rest_client
    from tempest.lib.services.compute import base_compute_client
    from tempest.lib.services.volume import base_client

    honest = rest_client.RestClient.validate_response.__func__

    def capture(_cls: Any, schema: Json, _answer: Any, _body: Any) -> None:
        raise _Captured(schema)

    rest_client.RestClient.validate_response = classmethod(capture)
    rest_client.RestClient.expected_success = classmethod(lambda *_what: None)

    def check(schema: Json) -> Check:
        def one(call: Json) -> None:
            answer = _Told(call["status"], call["headers"])
            honest(_Plain, schema, answer, call["body"])

        return one

    class _Plain(rest_client.RestClient):  # type: ignore[misc]
        @classmethod
        def expected_success(cls, expected: Any, status: int) -> None:
            allowed = expected if isinstance(expected, list) else [expected]
            assert status in allowed, f"status {status}, not {allowed}"

    for service, package, base, lowest in (
        ("compute", "tempest.lib.services.compute", base_compute_client, (2, 1)),
        ("block-storage", "tempest.lib.services.volume.v3", base_client, (3, 0)),
    ):
        for client in _clients(package, base.BaseComputeClient if service == "compute" else base.BaseClient):
            found: dict[Key, list[Range]] = {}
            for version, key, schema in _changes(client, service, base, lowest):
                found.setdefault(key, []).append((version, check(schema)))
            yield from found.items()


def _changes(
    client: type, service: str, base: Any, lowest: tuple[int, int]
) -> Iterator[tuple[tuple[int, int], Key, Json]]:
    """The schemas of a client's functions, at every version at which they change."""
    before: dict[Key, Json] = {}
    for version in [number(one["min"], lowest) for one in getattr(client, "schema_versions_info", ())] or [lowest]:
        base.COMPUTE_MICROVERSION = base.VOLUME_MICROVERSION = f"{version[0]}.{version[1]}"
        for verb, path, action, schema in _calls(client):
            key = (service, verb, path, action)
            if key not in before or before[key] != schema:
                before[key] = schema
                yield version, key, schema


def _clients(package: str, base: type) -> Iterator[type]:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        for _, found in inspect.getmembers(importlib.import_module(f"{package}.{module.name}"), inspect.isclass):
            if issubclass(found, base) and found is not base and found.__module__.endswith(module.name):
                yield found


def _calls(client: type) -> Iterator[tuple[str, str, str, Json]]:
    """(verb, path, action, schema) of all of a client's functions."""
    for name, function in inspect.getmembers(client, inspect.isfunction):
        if name.startswith("_") or name not in vars(client):
            continue
        parameters = inspect.signature(function).parameters.values()
        given = [
            f"<{one.name}>" for one in parameters if one.default is one.empty and one.kind == one.POSITIONAL_OR_KEYWORD
        ]
        wishes: list[Json] = [{}]
        if "detail" in inspect.signature(function).parameters:
            wishes = [{"detail": False}, {"detail": True}]
        for wish in wishes:
            yield from _call(client, name, given[1:], wish)


def _call(client: type, name: str, given: list[str], wish: Json) -> Iterator[tuple[str, str, str, Json]]:
    asked: list[tuple[str, str, str]] = []

    def sender(verb: str) -> Callable[..., Any]:
        def send(url: str, body: object = None, **_more: object) -> tuple[_Told, str]:
            action = next(iter(json.loads(body)), "") if isinstance(body, str) and body and "/action" in url else ""
            path = "/" + re.sub(r"<(\w+)>", r"{\1}", url.partition("?")[0]).strip("/")
            asked.append((verb, path, action))
            return _Told(200, {}), "{}"

        return send

    made = client(None, "service", "region")
    for verb in ("get", "post", "put", "delete", "patch", "head"):
        setattr(made, verb, sender(verb.upper()))
    try:
        getattr(made, name)(*given, **wish)
    except _Captured as captured:
        if asked:
            yield (*asked[-1], captured.args[0])
    except Exception:  # noqa: BLE001 - a function that needs more than names says nothing
        pass


# --- the line --------------------------------------------------------------------------------------------------------


class Routes:
    """All that is known, by path."""

    def __init__(self, found: Iterator[tuple[Key, list[Range]]]) -> None:
        self._known: dict[Key, list[Range]] = {}
        for key, ranges in found:
            if ranges:
                self._known[key] = sorted(ranges, key=lambda one: one[0])
        self._patterns = {
            path: re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + r"/?$")
            for path in sorted({key[2] for key in self._known}, key=lambda path: path.count("{"))
        }

    def names(self) -> list[Json]:
        """Every route with the versions at which its schema changes."""
        return [
            {"service": service, "verb": verb, "path": path, "action": action,
             "versions": [f"{low[0]}.{low[1]}" for low, _ in ranges]}
            for (service, verb, path, action), ranges in sorted(self._known.items())
        ]  # fmt: skip

    def verdict(self, call: Json) -> Json:
        """``route`` (None: not known), ``since`` and ``error`` (None: as it should be)."""
        version = number(call["version"], (2, 1) if call["service"] == "compute" else (3, 0))
        for path, pattern in self._patterns.items():
            ranges = self._known.get((call["service"], call["verb"], path, call["action"]))
            if ranges is None or not pattern.match(call["path"]):
                continue
            fitting = [one for one in ranges if one[0] <= version]
            if not fitting:
                break
            low, check = fitting[-1]
            route = f"{call['verb']} {path}" + (f" {call['action']}" if call["action"] else "")
            told = {"route": route, "since": f"{low[0]}.{low[1]}", "error": None}
            try:
                check(call)
            except Exception as error:  # noqa: BLE001 - whatever they raise is the verdict
                told["error"] = f"{type(error).__name__}: {error}"[:2000]
            return told
        return {"route": None, "since": None, "error": None}


def main() -> None:
    """Say what is known, then judge line by line."""
    routes = Routes(of_nova() if sys.argv[1] == "nova" else of_tempest())
    out = sys.stdout
    sys.stdout = sys.stderr
    out.write(json.dumps(routes.names()) + "\n")
    out.flush()
    for line in sys.stdin:
        out.write(json.dumps(routes.verdict(json.loads(line))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
