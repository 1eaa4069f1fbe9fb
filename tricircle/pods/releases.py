# SPDX-License-Identifier: Apache-2.0
"""Which pods hold microversions back, and whom? Pure; texts are for operators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tricircle.model.microversion import version_of
from tricircle.model.pod import Pod, PodState, Service

_VERSIONED = (Service.COMPUTE, Service.BLOCK_STORAGE)
_CENTRE = "the centre"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """A pod's service that is behind others.

    :ivar best: the highest version of any other
    :ivar ahead: who has more than the pod: names of pods, and the centre
    """

    service: Service
    version: str
    best: str
    ahead: tuple[str, ...]


def ceilings(pods: Sequence[Pod]) -> Mapping[Service, tuple[str, tuple[str, ...]]]:
    """Per service with microversions: the highest one that all pods speak, and the pods that keep it there.

    The pods are empty when all speak the same.
    """
    found: dict[Service, tuple[str, tuple[str, ...]]] = {}
    for service in _VERSIONED:
        tops = _tops(service, pods)
        if tops:
            lowest = min(tops.values(), key=version_of)
            low = tuple(sorted(name for name, top in tops.items() if top == lowest))
            found[service] = (lowest, low if len(low) < len(tops) else ())
    return found


def lags(pod: Pod, everybody: Sequence[Pod]) -> list[Lag]:
    """Where a pod is behind those that are in use, the centre included."""
    found = []
    for service in _VERSIONED:
        own = _tops(service, [pod]).get(pod.name)
        others = _tops(service, [one for one in everybody if one.state is not PodState.DISABLED])
        ahead = {name: top for name, top in others.items() if own and version_of(top) > version_of(own)}
        if own and ahead:
            best = max(ahead.values(), key=version_of)
            found.append(Lag(service=service, version=own, best=best, ahead=tuple(sorted(ahead))))
    return found


def _tops(service: Service, pods: Sequence[Pod]) -> dict[str, str]:
    return {
        _CENTRE if pod.is_central else pod.name: top
        for pod in pods
        if (endpoint := pod.endpoints.get(service)) and (top := endpoint.max_version)
    }
