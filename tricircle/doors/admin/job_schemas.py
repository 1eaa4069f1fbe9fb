# SPDX-License-Identifier: Apache-2.0
"""What do bodies and queries about jobs look like? Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tricircle.context import PodId, ProjectId
from tricircle.doors.admin.schemas import Json, Listing, instant, pods_of, text_fields
from tricircle.errors import InvalidRequestError
from tricircle.model.job import JobStatus, JobType
from tricircle.model.job_view import JobFilter, JobView, joined, parted, resource_fields

FILTERS = frozenset({"project_id", "type", "status", "pod_id", "pod_name", "resource_id"})
#: The words of the first release, which its clients filter by.
_OLD_WORDS = {
    "new": JobStatus.WAITING,
    "running": JobStatus.RUNNING,
    "fail": JobStatus.STOPPED,
    "success": JobStatus.DONE,
}
#: Ids that are made by the services; those of flavors and users are whatever somebody chose.
_UUIDS = frozenset(
    {"network_id", "subnet_id", "port_id", "security_group_id", "volume_type_id", "group_type_id", "server_id"}
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: Lengths of the columns.
_LONGEST_RESOURCE, _LONGEST_PROJECT = 320, 64
#: A century: no time before it can be told from any other.
_OLDEST_S = 100 * 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What ``POST /jobs`` asks for.

    :ivar pod_name: None: every pod that has a copy
    """

    type: JobType
    project_id: ProjectId
    resource_id: str
    pod_name: str | None


def new_job(body: Json) -> NewJob:
    """What ``POST /jobs`` asks for.

    :raises InvalidRequestError: no ``job``, a field that is missing, unknown, empty or of the wrong kind, an unknown
        type, ids that are not exactly those of the type
    """
    fields = body.get("job")
    # The ids are read when the type is known.
    others = {name: value for name, value in fields.items() if name != "resource"} if isinstance(fields, dict) else None
    given = text_fields({**body, "job": others}, "job", ("type", "project_id", "pod_name"))
    for name in ("type", "project_id"):
        if not given.get(name):
            raise InvalidRequestError(f"{name} is missing or empty.")
    if given.get("pod_name") == "":
        raise InvalidRequestError("pod_name is empty. Leave it out to mean every pod.")
    project_id = given["project_id"]
    if len(project_id) > _LONGEST_PROJECT or not project_id.isascii():
        raise InvalidRequestError(f"project_id must be an id of at most {_LONGEST_PROJECT} characters.")
    type_ = job_type(given["type"])
    resource = fields.get("resource") if isinstance(fields, dict) else None
    return NewJob(
        type=type_,
        project_id=ProjectId(project_id),
        resource_id=_resource_id(type_, {} if resource is None else {"resource": resource}),
        pod_name=given.get("pod_name"),
    )


def job_type(word: str) -> JobType:
    """The type of this name. :raises InvalidRequestError: there is none."""
    if word not in list(JobType):
        raise InvalidRequestError(f"There is no job type '{word}'. Known are: {', '.join(sorted(JobType))}.")
    return JobType(word)


def job_status(word: str) -> JobStatus:
    """The status of this name, one of the first release's included. :raises InvalidRequestError: there is none."""
    status = _OLD_WORDS.get(word.lower())
    if status is None and word in list(JobStatus):
        status = JobStatus(word)
    if status is None:
        raise InvalidRequestError(f"There is no job status '{word}'. Known are: {', '.join(JobStatus)}.")
    return status


def job_filter(listing: Listing, pods: Mapping[str, PodId]) -> JobFilter:
    """What a list's filters mean.

    :param pods: ids by name
    :raises InvalidRequestError: an unknown type, status or name of a pod
    """
    given = listing.filters
    return JobFilter(
        statuses={job_status(word) for word in given["status"]} if "status" in given else None,
        types={job_type(word).value for word in given["type"]} if "type" in given else None,
        project_ids=given.get("project_id"),
        pod_ids=pods_of(listing, pods),
        resource_ids=given.get("resource_id"),
    )


def older_than_s(query: list[tuple[str, str]]) -> float:
    """The age in seconds beyond which ``DELETE /jobs`` removes history. :raises InvalidRequestError: none is given."""
    for name, _ in query:
        if name != "older_than":
            raise InvalidRequestError(f"Unknown query parameter '{name}'. Known are: older_than.")
    if len(query) != 1:
        raise InvalidRequestError("older_than is missing: how many seconds of history are kept?")
    value = query[0][1]
    if not (value.isascii() and value.isdigit() and len(value) < 20) or int(value) > _OLDEST_S:
        raise InvalidRequestError(f"older_than must be a number of seconds, not '{value[:50]}'.")
    return float(value)


def show_schemas() -> list[dict[str, object]]:
    """Every type and the ids that its resource has."""
    return [{"type": type_.value, "resource": list(resource_fields(type_))} for type_ in sorted(JobType)]


def show_job(view: JobView, names: Mapping[PodId, str]) -> dict[str, object]:
    """A job as lists show it. The six fields of the first release come first."""
    return {
        "id": view.id,
        "project_id": view.project_id,
        "type": view.type,
        "timestamp": instant(view.finished_at or view.started_at or view.created_at),
        "status": view.status.value,
        "resource": parted(view.type, view.resource_id),
        "pod_id": view.pod_id or None,
        "pod_name": names.get(view.pod_id),
        "attempts": view.attempts,
        "error": view.error,
        "created_at": instant(view.created_at),
        "not_before": instant(view.not_before),
        "started_at": instant(view.started_at),
        "finished_at": instant(view.finished_at),
        "owner": view.owner,
    }


def show_line(line: JobView) -> dict[str, object]:
    """A line of history, beneath its job."""
    return {
        "status": line.status.value,
        "attempts": line.attempts,
        "error": line.error,
        "started_at": instant(line.started_at),
        "finished_at": instant(line.finished_at),
        "report": line.report,
    }


def _resource_id(type_: JobType, body: Json) -> str:
    names = resource_fields(type_)
    given = text_fields(body, "resource", names)
    for number, name in enumerate(names):
        value = given.get(name, "")
        if not value:
            raise InvalidRequestError(f"{name} is missing or empty: a job of type {type_} is about one.")
        if name in _UUIDS and not _UUID.fullmatch(value):
            raise InvalidRequestError(f"{name} must be a UUID, not '{value}'.")
        if "/" in value and number < len(names) - 1:
            raise InvalidRequestError(f"{name} must not hold '/'.")
    resource_id = joined(type_, given)
    if len(resource_id) > _LONGEST_RESOURCE:
        raise InvalidRequestError(f"The ids of 'resource' are longer than {_LONGEST_RESOURCE} characters together.")
    return resource_id
