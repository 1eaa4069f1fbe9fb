# SPDX-License-Identifier: Apache-2.0
"""Who has lost access to a network or a security group of somebody else's, and how do the pods learn of it?

Whoever ends a share, by deleting or changing an RBAC policy or by ``shared: false``, deletes or changes its row;
Neutron has a hook for none of them inside the transaction, so the rows themselves are watched. A new share needs no
job: the copy is shared when the project's first port comes.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from neutron.db import models_v2, rbac_db_models
from neutron.db.models import securitygroup as security_group_models
from sqlalchemy import orm

from tricircle.model.job import JobType
from tricircle_neutron import jobs

#: Seconds until the job: the change is then to be seen by whoever asks, and several are one.
_GATHER_S = 0.2
#: By the model of the share: that of what is shared, and the job about it.
_SHARED: Mapping[type, tuple[Any, JobType]] = {
    rbac_db_models.NetworkRBAC: (models_v2.Network, JobType.NETWORK),
    rbac_db_models.SecurityGroupRBAC: (security_group_models.SecurityGroup, JobType.SECURITY_GROUP),
}


def watch() -> None:
    """Watch the rows; called once per process."""
    for model in _SHARED:
        for change in ("after_update", "after_delete"):
            sa.event.listen(model, change, _ended)


def _ended(_mapper: Any, connection: sa.Connection, policy: Any) -> None:
    """File a job for what was shared, unless it goes as well and has one of its own. The session is being flushed."""
    model, job_type = _SHARED[type(policy)]
    session = orm.object_session(policy)
    deleted = session.deleted if session is not None else ()
    is_leaving = any(isinstance(one, model) and one.id == policy.object_id for one in deleted)
    if policy.action != rbac_db_models.ACCESS_SHARED or is_leaving:
        return
    owner = sa.select(model.project_id).where(model.id == policy.object_id)
    jobs.append(
        connection,
        job_type,
        policy.object_id,
        project_id=connection.execute(owner).scalar(),
        delay_s=_GATHER_S,
    )
