# SPDX-License-Identifier: Apache-2.0
"""Which microversion do we speak to a pod that may be older than we would like? Pure."""

from tricircle.model.microversion import lower
from tricircle.model.pod import Pod, Service


def spoken(pod: Pod, service: Service, wanted: str) -> str:
    """``wanted``, or the pod's highest version where that is lower.

    >>> from tricircle.context import PodId
    >>> spoken(Pod(id=PodId("1"), name="Pod1", az_name="az1"), Service.COMPUTE, "2.85")
    '2.85'
    """
    endpoint = pod.endpoints.get(service)
    return lower(wanted, endpoint.max_version if endpoint else None)
