# SPDX-License-Identifier: Apache-2.0
"""Who has lost access to a network of somebody else's, and how do the pods learn of it?

Whoever ends a share of a network, by deleting or changing an RBAC policy or by ``shared: false``, deletes or changes
its row; Neutron has a hook for none of them inside the transaction, so the rows themselves are watched. A new share
needs no job: the copy of the network is shared when the project's first port comes.
"""

from typing import Any

import sqlalchemy as sa
from neutron.db import models_v2, rbac_db_models
from sqlalchemy import orm

from tricircle.model.job import JobType
from tricircle_neutron import jobs

#: Seconds until the job: the change is then to be seen by whoever asks, and several are one.
_GATHER_S = 0.2


def watch() -> None:
    """Watch the rows; called once per process."""
    for change in ("after_update", "after_delete"):
        sa.event.listen(rbac_db_models.NetworkRBAC, change, _ended)


def _ended(_mapper: Any, connection: sa.Connection, policy: Any) -> None:
    """File a job for the network, unless it goes as well and has one of its own. The session is being flushed."""
    session = orm.object_session(policy)
    deleted = session.deleted if session is not None else ()
    is_leaving = any(isinstance(one, models_v2.Network) and one.id == policy.object_id for one in deleted)
    if policy.action != rbac_db_models.ACCESS_SHARED or is_leaving:
        return
    owner = sa.select(models_v2.Network.project_id).where(models_v2.Network.id == policy.object_id)
    jobs.append(
        connection,
        JobType.NETWORK,
        policy.object_id,
        project_id=connection.execute(owner).scalar(),
        delay_s=_GATHER_S,
    )
