# SPDX-License-Identifier: Apache-2.0
"""How is one machine of one pod named, when several pods may have a machine of that name? Pure.

Administrators read and write ``<pod>.<host>``; tenants never see a host. See ``docs/decisions/0029-hosts.md``.
"""

import re
from collections.abc import Iterable

from tricircle.model.pod import Pod

#: What Nova and Cinder take in a host's name; a region may be called otherwise.
_ODD = re.compile(r"[^a-zA-Z0-9._-]")


def prefix_of(pod: Pod) -> str:
    """What names of the pod's machines begin with.

    >>> prefix_of(Pod(id="1", name="Pod 1", az_name="az1"))
    'Pod-1.'
    """
    return _ODD.sub("-", pod.name) + "."


def full_name(pod: Pod, host: object) -> object:
    """A host's name as administrators read it. What is no name (a server without a host) stays.

    >>> full_name(Pod(id="1", name="Pod1", az_name="az1"), "cmp1"), full_name(Pod(id="1", name="P", az_name="a"), None)
    ('Pod1.cmp1', None)
    """
    return prefix_of(pod) + host if isinstance(host, str) and host else host


def name_in(pod: Pod, name: str) -> str:
    """What the pod itself calls a host; a name that is not of this pod stays as it is.

    >>> name_in(Pod(id="1", name="Pod1", az_name="az1"), "Pod1.cmp1")
    'cmp1'
    """
    return name.removeprefix(prefix_of(pod))


def pod_named(pods: Iterable[Pod], name: str) -> Pod | None:
    """The pod whose machine a full name names; None when the name begins with no pod. Of two the longer one."""
    named = [pod for pod in pods if name.startswith(prefix_of(pod)) and name != prefix_of(pod)]
    return max(named, key=lambda pod: len(pod.name), default=None)
