# SPDX-License-Identifier: Apache-2.0
"""In which microversion is a request answered, when many services may have to answer it? Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tricircle.errors import InvalidRequestError, NotAcceptableError
from tricircle.http import microversions
from tricircle.model.microversion import Version
from tricircle.model.pod import Pod, PodState, Service


class OlderPods(StrEnum):
    """What a pod of an older release means for the others (``[gateway] older_pods``)."""

    LOWER = "lower"  # it lowers the maximum for all
    SKIP = "skip"  # it is left out of calls that name a version which it does not have


@dataclass(frozen=True, slots=True)
class Range:
    """The microversions that are served.

    :ivar common: the highest that all who may have to answer serve; what ``latest`` means, so that such an answer is
        whole. Never above ``highest``
    """

    lowest: Version
    highest: Version
    common: Version


class Ranges:
    """The range of each service, worked out anew only when the pods have changed."""

    def __init__(self, older: OlderPods = OlderPods.LOWER) -> None:
        self._older = older
        self._pods: Sequence[Pod] = ()
        self._known: dict[Service, Range] = {}

    def of(self, service: Service, pods: Sequence[Pod]) -> Range:
        """What the pods in use and the centre (if its row says) serve.

        A pod whose range is unknown does not narrow it; when nobody's is known, only the default is served.
        """
        if pods is not self._pods:
            self._pods, self._known = pods, {}
        known = self._known.get(service)
        if known is None:
            known = self._known[service] = served_range(service, pods, self._older)
        return known


def served_range(service: Service, pods: Iterable[Pod], older: OlderPods = OlderPods.LOWER) -> Range:
    """From the highest of the lowest versions to the lowest of the highest ones.

    With ``OlderPods.SKIP`` to the highest that any pod has: never beyond the centre, where what users declare is.
    """
    default = microversions.parse(microversions.DEFAULTS[service])
    lowest = [default]
    centre: list[Version] = []
    tops: list[Version] = []
    for pod in pods:
        endpoint = pod.endpoints.get(service)
        if pod.state is PodState.DISABLED or endpoint is None:
            continue
        if endpoint.min_version:
            lowest.append(microversions.parse(endpoint.min_version))
        if endpoint.max_version:
            (centre if pod.is_central else tops).append(microversions.parse(endpoint.max_version))
    common = min([*centre, *tops], default=default)
    highest = common
    if older is OlderPods.SKIP and tops:
        highest = min([*centre, max(tops)])
    return Range(max(lowest), highest, common)


def serves(pod: Pod, service: Service, version: tuple[int, int] | None) -> bool:
    """Whether a pod can answer in a version; yes where none is asked for or its range is unknown."""
    endpoint = pod.endpoints.get(service)
    if version is None or endpoint is None or endpoint.max_version is None:
        return True
    lowest = microversions.parse(endpoint.min_version) if endpoint.min_version else (0, 0)
    return lowest <= version <= microversions.parse(endpoint.max_version)


def demand(pod: Pod, service: Service, version: tuple[int, int] | None) -> None:
    """:raises NotAcceptableError: the pod does not have this version; Nova's words, with the range that counts here"""
    if serves(pod, service, version):
        return
    endpoint = pod.endpoints[service]
    asked = Version(*version) if version else ""
    lowest = endpoint.min_version or microversions.DEFAULTS[service]
    raise NotAcceptableError(
        f"Version {asked} is not supported by the API. Minimum is {lowest} and maximum is {endpoint.max_version}. "
        f"This is the range of the availability zone of the resource; others may have more."
    )


def nearest(pod: Pod, service: Service, version: tuple[int, int] | None) -> tuple[int, int] | None:
    """The version that a pod is asked in for ourselves: the given one, or its highest where that is lower."""
    endpoint = pod.endpoints.get(service)
    if version is None or endpoint is None or endpoint.max_version is None:
        return version
    return min(version, microversions.parse(endpoint.max_version))


def asked_out_of_range(headers: Iterable[tuple[bytes, bytes]], service: Service) -> Version | None:
    """The version that a refused request named, for the refusal's headers: services repeat it there."""
    text = microversions.requested(headers, service)
    if text is None:
        return None
    try:
        return microversions.parse(text)
    except InvalidRequestError:
        return None
