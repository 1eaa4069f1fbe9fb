# SPDX-License-Identifier: Apache-2.0
"""Does each command about jobs make the call that its options mean, and show what came back?"""

from collections.abc import Mapping

import pytest
from osc_lib import exceptions

from tests.unit.osc.test_commands import POD1, Session, pods_named, run
from tricircle_osc.v1 import job

JOB = {
    "id": 17,
    "project_id": "p1",
    "type": "network",
    "timestamp": "2026-01-01T00:00:00Z",
    "status": "stopped",
    "resource": {"network_id": "n1"},
    "pod_id": POD1["pod_id"],
    "pod_name": "Pod1",
    "attempts": 20,
    "error": "ValueError: one\n" + "long " * 40,
    "created_at": "2026-01-01T00:00:00Z",
    "not_before": None,
    "started_at": None,
    "finished_at": "2026-01-01T00:00:00Z",
    "owner": None,
}
SHOWN = {**JOB, "report": {"copies": 2}, "folded_into": None, "history": [{"status": "stopped", "attempts": 20}]}


def test_create_sends_the_ids_by_name_and_the_name_of_the_pod() -> None:
    session = Session({("POST", "/jobs"): (202, {"job": SHOWN}), ("GET", "/pods"): pods_named})
    words = ["--type", "keypair", "--project", "p1", "--resource", "user_id=u1", "--resource", "keypair_name=a=b"]
    columns, values = run(job.CreateJob, [*words, "--pod", "Pod1"], session)
    resource = {"user_id": "u1", "keypair_name": "a=b"}
    sent = {"type": "keypair", "project_id": "p1", "resource": resource, "pod_name": "Pod1"}
    assert session.asked[-1] == ("POST", "/jobs", {"job": sent})
    assert values[columns.index("id")] == 17
    run(job.CreateJob, words, session)
    del sent["pod_name"]
    assert session.asked[-1] == ("POST", "/jobs", {"job": sent})


def test_list_asks_for_the_queue_unless_told_otherwise() -> None:
    session = Session({("GET", "/jobs"): {"jobs": [JOB]}, ("GET", "/pods"): pods_named})
    columns, rows = run(job.ListJob, [], session)
    assert session.asked[-1] == ("GET", "/jobs", {"status": ["waiting", "running", "stopped"]})
    shown = dict(zip(columns, rows[0], strict=True))
    assert shown["resource"].human_readable() == "network_id=n1"
    assert shown["error"].human_readable() == ("ValueError: one " + "long " * 40)[:60] + "..."
    assert shown["error"].machine_readable() == JOB["error"]
    run(job.ListJob, ["--all", "--type", "network", "--project-id", "p1", "--resource", "n1"], session)
    assert session.asked[-1][2] == {"type": "network", "project_id": "p1", "resource_id": "n1"}
    run(job.ListJob, ["--status", "done", "--pod", "Pod1", "--limit", "5", "--marker", "18"], session)
    assert session.asked[-1][2] == {"status": ["done"], "pod_id": POD1["pod_id"], "limit": 5, "marker": "18"}
    columns, _ = run(job.ListJob, ["--long"], session)
    assert {"project_id", "owner", "not_before"} <= set(columns)


def test_list_follows_the_links_to_the_end() -> None:
    def page(query: Mapping[str, object]) -> dict[str, object]:
        if query.get("marker") == 17:
            return {"jobs": [{**JOB, "id": 16}]}
        return {"jobs": [JOB], "jobs_links": [{"rel": "next", "href": "..."}]}

    columns, rows = run(job.ListJob, [], Session({("GET", "/jobs"): page}))
    assert [values[columns.index("id")] for values in rows] == [17, 16]


def test_show_tells_report_and_story() -> None:
    columns, values = run(job.ShowJob, ["17"], Session({("GET", "/jobs/17"): {"job": SHOWN}}))
    shown = dict(zip(columns, values, strict=True))
    assert shown["report"].machine_readable() == {"copies": 2}
    assert shown["history"].machine_readable() == SHOWN["history"]


@pytest.mark.parametrize(
    ("command", "method", "words"), [(job.RedoJob, "PUT", "redone"), (job.DeleteJob, "DELETE", "removed")]
)
def test_redo_and_delete_go_on_after_a_refusal(command: type, method: str, words: str) -> None:
    refused = (409, {"conflictingRequest": {"message": "Job 17 is running. Wait for its end.", "code": 409}})
    session = Session({(method, "/jobs/17"): refused, (method, "/jobs/18"): {}})
    with pytest.raises(exceptions.CommandError, match=rf"'17' was not {words}: Job 17 is running.*\(HTTP 409\)"):
        run(command, ["17", "18"], session)
    assert session.asked[-1] == (method, "/jobs/18", None)


def test_schemas() -> None:
    schemas = [{"type": "keypair", "resource": ["user_id", "keypair_name"]}]
    columns, rows = run(job.ListJobSchema, [], Session({("GET", "/jobs/schemas"): {"schemas": schemas}}))
    assert columns == ("type", "resource")
    assert rows[0][0] == "keypair"
    assert rows[0][1].human_readable() == "keypair_name, user_id"
