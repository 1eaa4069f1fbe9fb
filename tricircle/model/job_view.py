# SPDX-License-Identifier: Apache-2.0
"""What do operators see of a job, wherever it is now, and by what is it found?"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tricircle.context import PodId, ProjectId
from tricircle.model.job import JobStatus, JobType

#: What the ids of a job's resource are called. A type that is not listed has one id.
_RESOURCE_FIELDS: Mapping[JobType, tuple[str, ...]] = {
    JobType.NETWORK: ("network_id",),
    JobType.SUBNET: ("subnet_id",),
    JobType.PORT: ("port_id",),
    JobType.SECURITY_GROUP: ("security_group_id",),
    JobType.ADDRESS_GROUP: ("group_id",),
    JobType.QOS_POLICY: ("qos_policy_id",),
    JobType.TRUNK: ("trunk_id",),
    JobType.FLAVOR: ("flavor_id",),
    JobType.KEYPAIR: ("user_id", "keypair_name"),
    JobType.VOLUME_TYPE: ("volume_type_id",),
    JobType.GROUP_TYPE: ("group_type_id",),
    JobType.SERVER_PORTS: ("server_id",),
    JobType.PORT_STATUS: ("pod_id",),
}
_ONE_ID = ("resource_id",)
_BETWEEN = "/"


def resource_fields(type_: str) -> tuple[str, ...]:
    """Names of the ids of a type's resource, in the order in which the queue joins them.

    >>> resource_fields("keypair")
    ('user_id', 'keypair_name')
    """
    return _RESOURCE_FIELDS.get(JobType(type_), _ONE_ID) if type_ in list(JobType) else _ONE_ID


def joined(type_: str, resource: Mapping[str, str]) -> str:
    """The resource id under which the queue knows these ids.

    >>> joined("keypair", {"keypair_name": "a/b", "user_id": "u1"})
    'u1/a/b'
    """
    return _BETWEEN.join(resource[name] for name in resource_fields(type_))


def parted(type_: str, resource_id: str) -> dict[str, str]:
    """The ids in a resource id, by name. Only the last may hold a slash; names of key pairs do.

    >>> parted("keypair", "u1/a/b")
    {'user_id': 'u1', 'keypair_name': 'a/b'}
    """
    names = resource_fields(type_)
    return dict(zip(names, resource_id.split(_BETWEEN, len(names) - 1), strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job of the queue or of its history.

    :ivar type: a word, since rows of a newer release are seen, too
    :ivar created_at: when it was filed; None in history
    :ivar not_before: when it is due; None in history
    :ivar started_at: of the run that goes on, or that ended it; None when there is none
    :ivar owner: the worker that runs it
    :ivar folded_into: the job together with which it was settled, and which tells the rest
    """

    id: int
    type: str
    resource_id: str
    pod_id: PodId
    project_id: ProjectId
    status: JobStatus
    attempts: int
    error: str | None = None
    created_at: datetime | None = None
    not_before: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    owner: str | None = None
    report: Mapping[str, object] | None = None
    folded_into: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs are meant: those that have one of the values of every set; None means any value."""

    statuses: Collection[JobStatus] | None = None
    types: Collection[str] | None = None
    project_ids: Collection[str] | None = None
    pod_ids: Collection[str] | None = None
    resource_ids: Collection[str] | None = None


#: Statuses of jobs that are in the queue.
LIVE = frozenset({JobStatus.WAITING, JobStatus.RUNNING, JobStatus.STOPPED})
#: Statuses of jobs that only history knows.
ENDED = frozenset({JobStatus.DONE, JobStatus.DELETED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How many jobs of one type stand where, and how long the oldest waits though it is due, or has failed before.

    :ivar oldest_s: seconds; 0 when none waits
    """

    type: str
    counts: Mapping[JobStatus, int] = field(default_factory=dict)
    oldest_s: float = 0.0
