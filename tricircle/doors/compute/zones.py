# SPDX-License-Identifier: Apache-2.0
"""Which AZ is it that a pod names? Pure.

The AZs of pods are what the operator called them. An aggregate of the centre may make another one: it bears our prefix
in the pods, so that what is a pod's own and what is ours can be told apart without a question.
"""

import re

from tricircle.model.pod import Pod
from tricircle.road.rewrite import zone
from tricircle.road.zone_filter import ZoneFilter

#: What the AZ of an aggregate of ours begins with in a pod.
PREFIX = "tricircle."
_PREFIX = re.escape(PREFIX)
#: In a pod, as its database reads it: any AZ of the pod's own.
_OWN = f"^(?!{_PREFIX})"
#: An anchor in a pattern, or what only looks like one.
_ANCHOR = re.compile(r"(\\.|\[\^?\]?[^\]]*\])|\^", re.DOTALL)


def zone_in(pod: Pod, name: str) -> str:
    """What the AZ of an aggregate is called in a pod; ``""``: the pod is the AZ, so its hosts need no other.

    >>> zone_in(Pod(id="1", name="Pod1", az_name="az1"), "fast"), zone_in(Pod(id="1", name="P", az_name="az1"), "az1")
    ('tricircle.fast', '')
    """
    return "" if name == pod.az_name else PREFIX + name


def zone_of(pod: Pod, pod_zone: object) -> object:
    """The AZ that users see for what is in a zone of the pod; empty and null stay.

    >>> zone_of(Pod(id="1", name="Pod1", az_name="az1"), "tricircle.fast")
    'fast'
    """
    if isinstance(pod_zone, str) and pod_zone.startswith(PREFIX):
        return pod_zone.removeprefix(PREFIX)
    return zone(pod, pod_zone)


def pinned_to(pod: Pod, asked: object, pod_zone: object) -> object:
    """The AZ that a server is held to, as its users see it; None: it is held to none.

    :param asked: the AZ that its user asked for, as it is written down
    :param pod_zone: the one that the pod holds it to: perhaps only the one that all servers there are given

    >>> pod = Pod(id="1", name="Pod1", az_name="az1", pod_az_name="nova")
    >>> pinned_to(pod, "az1", "nova"), pinned_to(pod, None, "nova"), pinned_to(pod, None, "tricircle.fast")
    ('az1', None, 'fast')
    """
    if asked:
        return asked
    return None if pod_zone == pod.pod_az_name else zone_of(pod, pod_zone)


def pattern_in(name: str, pod: Pod) -> str:
    """The filter by AZ that a pod is asked with, of the one that a user asks with.

    Nova takes it for a pattern that may match anywhere in the name of a server's AZ. What users see of it is not what
    the pod has, so the pattern is made to meet what they see. What is no pattern stays, for the pod to refuse.

    >>> pattern_in("az1", Pod(id="1", name="Pod1", az_name="az1"))
    '^(?!tricircle\\\\.)'
    >>> pattern_in("^fast$", Pod(id="1", name="Pod1", az_name="az1"))
    '^tricircle\\\\..*(?:(?<=^tricircle\\\\.)fast$)'
    """
    if name == pod.az_name:
        return _OWN
    try:
        re.compile(name)
    except (re.error, RecursionError, OverflowError):
        return name
    behind = _ANCHOR.sub(lambda found: found[1] or f"(?<=^{_PREFIX})", name)
    ours = f"^{_PREFIX}.*(?:{behind})"
    return f"{_OWN}|{ours}" if is_met(name, pod.az_name, pod) else ours


def is_met(pattern: str, name: str, pod: Pod) -> bool:
    """Whether a server in a pod that shows the AZ ``name`` is left by a filter.

    Anchors are understood, other signs of patterns are not: a client's pattern may take for ever.

    >>> pod = Pod(id="1", name="Pod1", az_name="az1")
    >>> is_met("az1", "az1", pod), is_met("az1", "az10", pod), is_met("^F", "fast", pod), is_met("^z", "az1", pod)
    (True, False, True, False)
    """
    if name == pattern or pattern == pod.az_name:
        return name == pattern
    wanted, shown = pattern.removeprefix("^").removesuffix("$").casefold(), name.casefold()
    is_behind = not pattern.endswith("$") or shown.endswith(wanted)
    return (shown.startswith(wanted) if pattern.startswith("^") else wanted in shown) and is_behind


#: The filter of lists of servers. Below, Nova passes it over for who is no administrator.
FILTER = ZoneFilter(members=((2, 83), None), asks=pattern_in)
