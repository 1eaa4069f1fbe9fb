# SPDX-License-Identifier: Apache-2.0
"""In which microversion is a request answered, when many services may have to answer it? Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tricircle.errors import InvalidRequestError
from tricircle.http import microversions
from tricircle.http.microversions import Version
from tricircle.model.pod import Pod, PodState, Service


@dataclass(frozen=True, slots=True)
class Range:
    """The microversions that all who may have to answer serve."""

    lowest: Version
    highest: Version


class Ranges:
    """The common range of each service, worked out anew only when the pods have changed."""

    def __init__(self) -> None:
        self._pods: Sequence[Pod] = ()
        self._known: dict[Service, Range] = {}

    def of(self, service: Service, pods: Sequence[Pod]) -> Range:
        """What the pods in use and the centre (if its row says) serve in common.

        A pod whose range is unknown does not narrow it; when nobody's is known, only the default is served.
        """
        if pods is not self._pods:
            self._pods, self._known = pods, {}
        known = self._known.get(service)
        if known is None:
            known = self._known[service] = common_range(service, pods)
        return known


def common_range(service: Service, pods: Iterable[Pod]) -> Range:
    """The highest of the lowest and the lowest of the highest versions."""
    default = microversions.parse(microversions.DEFAULTS[service])
    lowest, highest = [default], []
    for pod in pods:
        endpoint = pod.endpoints.get(service)
        if pod.state is PodState.DISABLED or endpoint is None:
            continue
        if endpoint.min_version:
            lowest.append(microversions.parse(endpoint.min_version))
        if endpoint.max_version:
            highest.append(microversions.parse(endpoint.max_version))
    return Range(max(lowest), min(highest, default=default))


def asked_out_of_range(headers: Iterable[tuple[bytes, bytes]], service: Service) -> Version | None:
    """The version that a refused request named, for the refusal's headers: services repeat it there."""
    text = microversions.requested(headers, service)
    if text is None:
        return None
    try:
        return microversions.parse(text)
    except InvalidRequestError:
        return None
