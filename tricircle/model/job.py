# SPDX-License-Identifier: Apache-2.0
"""What is still to be done so that a pod agrees with the centre?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tricircle.context import PodId, ProjectId


class JobType(StrEnum):
    """Names of job bodies. A body is level-triggered: read what should be, read what is, apply the difference."""

    NETWORK = "network"  # copies of a network: update, or remove when it is gone at the centre
    SUBNET = "subnet"
    PORT = "port"
    SECURITY_GROUP = "security_group"  # the group and all of its rules
    ADDRESS_GROUP = "address_group"  # the members of a security group, or a tenant's address group
    QOS_POLICY = "qos_policy"  # the policy and all of its rules
    TRUNK = "trunk"  # the trunk and its sub-ports
    FLAVOR = "flavor"
    KEYPAIR = "keypair"
    SERVER_GROUP = "server_group"
    VOLUME_TYPE = "volume_type"
    GROUP_TYPE = "group_type"
    IMAGE = "image"  # copies of an image: update, or remove when it is gone at the centre
    IMAGE_COPY = "image_copy"  # bring an image into one pod
    IMAGE_HOME = "image_home"  # bring an image that a pod made to the centre
    SERVER_PORTS = "server_ports"  # ports of a server that ended or lost an interface
    PORT_STATUS = "port_status"  # what one pod says of the status of ports and trunks; the resource is the pod
    SWEEP = "sweep"  # everything in one pod; the resource is the pod


#: A job that is about every pod where the resource has a copy.
EVERY_POD = PodId("")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class JobKey:
    """What a job is about. Of all rows with one key at most one run happens at a time."""

    type: JobType
    resource_id: str
    pod_id: PodId = EVERY_POD


class JobStatus(StrEnum):
    """Where a job stands. The last two are those of history."""

    WAITING = "waiting"  # due, or due later
    RUNNING = "running"  # a worker has its key now
    STOPPED = "stopped"  # given up; rests until somebody asks, or its key has a new reason to run
    DONE = "done"
    DELETED = "deleted"  # by an operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What history says about the end of a run, or of jobs that an operator removed.

    :ivar ids: of the rows that it is about
    :ivar ran_s: how long the run took; None: there was none
    :ivar report: what its body says it did, as plain JSON
    """

    key: JobKey
    project_id: ProjectId
    ids: tuple[int, ...]
    status: JobStatus
    attempts: int
    error: str | None = None
    ran_s: float | None = None
    report: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request "make pod P agree with central resource X". Rows with equal (type, resource_id, pod_id) are folded
    into one run.

    :ivar revision: the central object's revision number at the time of the change; a reader that sees an older one
    retries
    :ivar payload: what cannot be read any more after a deletion
    :ivar attempts: runs that failed
    :ivar failed_at: when the attempts were used up; the row stays, and runs again when somebody asks, or together with
        a new row of its key
    :ivar not_before: not due before this instant
    """

    id: int
    type: JobType
    resource_id: str
    pod_id: PodId = EVERY_POD
    project_id: ProjectId
    revision: int | None = None
    payload: Mapping[str, object] = field(default_factory=dict)
    attempts: int = 0
    last_error: str | None = None
    failed_at: datetime | None = None
    created_at: datetime | None = None
    not_before: datetime | None = None

    @property
    def key(self) -> JobKey:
        """What the row is folded by."""
        return JobKey(type=self.type, resource_id=self.resource_id, pod_id=self.pod_id)
