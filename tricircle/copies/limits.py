# SPDX-License-Identifier: Apache-2.0
"""May a project have in a pod's Neutron what the centre says that it has, whatever the pod's own limits are?

Limits are kept at the centre. Who uses a pod has none there (``pods/bindings.py``); but a group that is shared with
another project belongs to its owner in the pod, too, who may never have been there. So whoever is refused because of a
limit lifts it, and asks once more. Neutron answers that with 409, like much else: only its name for it tells.
"""

import logging
from collections.abc import Collection, Mapping

from tricircle.context import Deadline
from tricircle.copies.bodies import refused_as
from tricircle.errors import UnavailableError, UpstreamStatusError
from tricircle.upstream.client import ServiceClient

LOG = logging.getLogger(__name__)

_OVER_QUOTA = "OverQuota"
_UNLIMITED = -1


async def post_for(
    client: ServiceClient,
    path: str,
    body: Mapping[str, object],
    *,
    project_id: str,
    limits: Collection[str],
    deadline: Deadline,
) -> dict[str, object]:
    """The answer to a POST of what will belong to the project.

    :param limits: what Neutron calls the limits that count for it
    :raises UnavailableError: the pod is at a limit that could not be lifted; operators find which in the log
    :raises UpstreamStatusError: refused for another reason
    """
    try:
        return await client.post(path, body=body, deadline=deadline)
    except UpstreamStatusError as error:
        if refused_as(error.body) != _OVER_QUOTA:
            raise
    await _lift(client, project_id, limits, deadline)
    try:
        return await client.post(path, body=body, deadline=deadline)
    except UpstreamStatusError as error:
        if refused_as(error.body) != _OVER_QUOTA:
            raise
        kept = error
    limited = ", ".join(limits)
    LOG.error("%s keeps limits of project %s that were set to unlimited: %s", client.target.label, project_id, limited)
    raise UnavailableError("The availability zone does not accept the project at the moment.") from kept


async def _lift(client: ServiceClient, project_id: str, limits: Collection[str], deadline: Deadline) -> None:
    """Only these: a project without any limit counts as one that uses the pod."""
    quota = dict.fromkeys(limits, _UNLIMITED)
    await client.put(f"/v2.0/quotas/{project_id}", body={"quota": quota}, deadline=deadline)
