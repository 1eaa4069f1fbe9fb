# SPDX-License-Identifier: Apache-2.0
"""Does each command make the call that its options mean, and show what came back?

The double stands at the library's border: a keystoneauth session that answers like the Admin API and writes down
what was asked.
"""

import argparse
import importlib.metadata
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import session as ksa_session
from osc_lib import exceptions

from tricircle_osc import plugin
from tricircle_osc.v1 import binding, pod

POD1 = {
    "pod_id": "11111111-1111-1111-1111-111111111111",
    "pod_name": "Pod1",
    "az_name": "az1",
    "pod_az_name": "",
    "dc_name": "",
    "state": "enabled",
    "versions": {"compute": {"min": "2.1", "max": "2.104"}},
    "endpoints": {"compute": "http://pod1.example:8774/v2.1"},
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": None,
}
POD2 = {**POD1, "pod_id": "22222222-2222-2222-2222-222222222222", "pod_name": "Pod2", "az_name": "az2"}


class Answered:
    """What the commands use of a requests response."""

    def __init__(self, status_code: int, body: object) -> None:
        self.status_code = status_code
        self.content = b"" if body is None else json.dumps(body).encode()
        self.reason = "Reason"

    def json(self) -> Any:
        return json.loads(self.content)


class Session(ksa_session.Session):
    """A keystoneauth session with prepared answers: ``{(method, path): body or (status, body)}``."""

    def __init__(self, answers: Mapping[tuple[str, str], object], *, is_in_catalog: bool = True) -> None:
        super().__init__()
        self.answers = answers
        self.is_in_catalog = is_in_catalog
        self.asked: list[tuple[str, str, object]] = []
        self.filters: list[Mapping[str, object]] = []

    def request(self, url: str, method: str, **kwargs: Any) -> Answered:
        if not self.is_in_catalog:
            raise ksa_exceptions.EndpointNotFound
        self.filters.append(kwargs["endpoint_filter"])
        self.asked.append((method, url, kwargs.get("json") or kwargs.get("params")))
        answer = self.answers[method, url]
        if callable(answer):
            answer = answer(kwargs.get("params") or {})
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return Answered(status, body)


def run(command: type, words: list[str], session: Session, **others: object) -> Any:
    """Run one command as openstackclient would, with the real client from the plugin.

    :param others: clients of other services, by openstackclient's names
    """
    manager = SimpleNamespace(session=session, interface="public", region_name="RegionOne")
    app = SimpleNamespace(client_manager=SimpleNamespace(tricircle=plugin.make_client(manager), **others))
    instance = command(app, None)
    return instance.take_action(instance.get_parser("test").parse_args(words))


def pods_named(query: Mapping[str, str]) -> dict[str, object]:
    """GET /pods with its ``pod_name`` filter."""
    return {"pods": [p for p in (POD1, POD2) if p["pod_name"] == query.get("pod_name", p["pod_name"])]}


def test_create_sends_only_what_was_given_and_shows_every_column() -> None:
    session = Session({("POST", "/pods"): {"pod": POD1}})
    columns, values = run(pod.CreatePod, ["--pod-name", "Pod1", "--availability-zone", "az1"], session)
    assert session.asked == [("POST", "/pods", {"pod": {"pod_name": "Pod1", "az_name": "az1"}})]
    assert session.filters[0]["service_type"] == "Cascading"
    assert session.filters[0]["region_name"] == "RegionOne"
    shown = dict(zip(columns, values, strict=True))
    assert shown["pod_name"] == "Pod1"
    assert shown["updated_at"] == ""
    assert shown["versions"].machine_readable() == POD1["versions"]


def test_create_knows_the_last_release_s_option_name() -> None:
    session = Session({("POST", "/pods"): {"pod": POD1}})
    words = [
        "--region-name",
        "Pod1",
        "--availability-zone",
        "az1",
        "--pod-availability-zone",
        "nova",
        "--data-center",
        "d",
    ]
    run(pod.CreatePod, words, session)
    sent = {"pod_name": "Pod1", "az_name": "az1", "pod_az_name": "nova", "dc_name": "d"}
    assert session.asked == [("POST", "/pods", {"pod": sent})]


@pytest.mark.parametrize(
    ("option", "state"), [("--enable", "enabled"), ("--drain", "draining"), ("--disable", "disabled")]
)
def test_set_finds_the_pod_by_name_and_puts_the_state(option: str, state: str) -> None:
    path = f"/pods/{POD1['pod_id']}"
    session = Session({("GET", "/pods"): pods_named, ("PUT", path): {"pod": {**POD1, "state": state}}})
    columns, values = run(pod.SetPod, [option, "Pod1"], session)
    assert session.asked[-1] == ("PUT", path, {"pod": {"state": state}})
    assert values[columns.index("state")] == state


def test_set_without_an_option_asks_nothing() -> None:
    session = Session({})
    with pytest.raises(exceptions.CommandError, match="Nothing to set"):
        run(pod.SetPod, ["Pod1"], session)
    assert session.asked == []


def test_set_refuses_two_states() -> None:
    with pytest.raises(SystemExit):
        run(pod.SetPod, ["--enable", "--drain", "Pod1"], Session({}))


def test_show_falls_back_to_the_id() -> None:
    path = f"/pods/{POD2['pod_id']}"
    session = Session({("GET", "/pods"): pods_named, ("GET", path): {"pod": POD2}})
    columns, values = run(pod.ShowPod, [POD2["pod_id"]], session)
    assert values[columns.index("pod_name")] == "Pod2"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--physical-network", "far=fibre"], {"wan": "physnet7", "far": "fibre"}),
        (["--no-physical-network", "--physical-network", "far=fibre"], {"far": "fibre"}),
        (["--no-physical-network"], {}),
    ],
)
def test_set_adds_names_of_physical_networks_or_takes_them_back(words: list[str], names: dict[str, str]) -> None:
    path = f"/pods/{POD1['pod_id']}"
    known = {"pod": {**POD1, "physical_networks": {"wan": "physnet7"}}}
    session = Session({("GET", "/pods"): pods_named, ("GET", path): known, ("PUT", path): known})
    run(pod.SetPod, [*words, "Pod1"], session)
    assert session.asked[-1] == ("PUT", path, {"pod": {"physical_networks": names}})


def test_show_of_an_unknown_pod_says_so() -> None:
    missing = (404, {"itemNotFound": {"message": "Pod nowhere could not be found.", "code": 404}})
    session = Session({("GET", "/pods"): pods_named, ("GET", "/pods/nowhere"): missing})
    with pytest.raises(exceptions.CommandError, match="No pod with the name or id 'nowhere'"):
        run(pod.ShowPod, ["nowhere"], session)


def test_list_follows_the_links_to_the_end() -> None:
    def page(query: Mapping[str, str]) -> dict[str, object]:
        if query.get("marker") == POD1["pod_id"]:
            return {"pods": [POD2]}
        return {"pods": [POD1], "pods_links": [{"rel": "next", "href": "..."}]}

    columns, rows = run(pod.ListPod, [], Session({("GET", "/pods"): page}))
    assert [values[columns.index("pod_name")] for values in rows] == ["Pod1", "Pod2"]


def test_list_with_a_limit_is_one_page_with_filters() -> None:
    session = Session({("GET", "/pods"): {"pods": [POD1], "pods_links": [{"rel": "next", "href": "..."}]}})
    columns, rows = run(pod.ListPod, ["--limit", "1", "--availability-zone", "az1", "--long"], session)
    assert session.asked == [("GET", "/pods", {"az_name": "az1", "limit": 1})]
    assert "dc_name" in columns
    assert len(rows) == 1


def test_delete_goes_on_and_tells_every_refusal_in_the_api_s_words() -> None:
    held = (409, {"conflictingRequest": {"message": "Pod Pod1 still holds 2 servers.", "code": 409}})
    session = Session(
        {
            ("GET", "/pods"): pods_named,
            ("DELETE", f"/pods/{POD1['pod_id']}"): held,
            ("DELETE", f"/pods/{POD2['pod_id']}"): {},
        }
    )
    with pytest.raises(
        exceptions.CommandError, match=r"'Pod1' was not removed: Pod Pod1 still holds 2 servers. \(HTTP 409\)"
    ):
        run(pod.DeletePod, ["Pod1", "Pod2"], session)
    assert session.asked[-1][:2] == ("DELETE", f"/pods/{POD2['pod_id']}")


def test_delete_of_a_lost_pod_says_so() -> None:
    session = Session({("GET", "/pods"): pods_named, ("DELETE", f"/pods/{POD1['pod_id']}"): {}})
    run(pod.DeletePod, ["--force", "Pod1"], session)
    assert session.asked[-1] == ("DELETE", f"/pods/{POD1['pod_id']}", {"force": "true"})


def test_binding_commands() -> None:
    record = {"id": "b1", "tenant_id": "p1", "pod_id": POD1["pod_id"], "created_at": "x", "updated_at": None}
    session = Session(
        {
            ("GET", "/pods"): pods_named,
            ("POST", "/bindings"): {"pod_binding": record},
            ("GET", "/bindings"): {"pod_bindings": [record]},
            ("GET", "/bindings/b1"): {"pod_binding": record},
            ("DELETE", "/bindings/b1"): {},
        }
    )
    columns, values = run(binding.CreateBinding, ["--project", "p1", "--pod", "Pod1"], session)
    assert session.asked[-1][2] == {"pod_binding": {"tenant_id": "p1", "pod_id": POD1["pod_id"]}}
    assert values[columns.index("id")] == "b1"
    assert run(binding.ListBinding, ["--pod", "Pod1"], session)[1] == [("b1", "p1", POD1["pod_id"])]
    assert session.asked[-1][2] == {"pod_id": POD1["pod_id"]}
    assert run(binding.ShowBinding, ["b1"], session)[1][0] == "b1"
    assert run(binding.DeleteBinding, ["b1"], session) is None
    assert session.asked[-1][:2] == ("DELETE", "/bindings/b1")


def test_a_catalog_without_the_admin_api_gets_a_remedy() -> None:
    with pytest.raises(exceptions.CommandError, match="tricircle-manage catalog sync"):
        run(pod.ListPod, [], Session({}, is_in_catalog=False))


def test_openstackclient_finds_every_command() -> None:
    group = importlib.metadata.entry_points(group="openstack.tricircle.v1")
    names = {point.name: point.load() for point in group}
    pods = {f"multiregion_networking_pod_{verb}" for verb in ("create", "delete", "list", "set", "show")}
    bindings = {f"multiregion_networking_binding_{verb}" for verb in ("create", "delete", "list", "show")}
    jobs = {
        f"multiregion_networking_job_{verb}" for verb in ("create", "delete", "list", "redo", "schema_list", "show")
    }
    routings = {f"multiregion_networking_routing_{verb}" for verb in ("list", "show")}
    adoptions = {f"multiregion_networking_adoption_{verb}" for verb in ("create", "delete", "observe")}
    others = {"multiregion_networking_topology_show", *adoptions}
    assert set(names) == pods | bindings | jobs | routings | others
    assert plugin.build_option_parser(argparse.ArgumentParser()).parse_args([]).os_tricircle_api_version == "1"
