# SPDX-License-Identifier: Apache-2.0
"""Which AZ is it that a pod names? Pure.

The AZs of pods are what the operator called them. An aggregate of the centre may make another one: it bears our prefix
in the pods, so that what is a pod's own and what is ours can be told apart without a question.
"""

from tricircle.model.pod import Pod
from tricircle.road.rewrite import zone

#: What the AZ of an aggregate of ours begins with in a pod.
PREFIX = "tricircle."


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
