# SPDX-License-Identifier: Apache-2.0
"""Is a pod as it should be? Everything registration checks, and what can drift or was never right.

Each finding says what was seen and what to do. Nothing is changed. Texts are for operators.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import urlsplit

from tricircle.conf.settings import GatewaySettings
from tricircle.context import Deadline
from tricircle.errors import ServiceUserError, TricircleError, UpstreamStatusError
from tricircle.model.binding import Binding
from tricircle.model.pod import Pod, PodState, Service
from tricircle.pods.aggregates import Aggregates, Identity, aggregate_name
from tricircle.pods.bindings import Bindings
from tricircle.pods.findings import Finding, Level, finding_of
from tricircle.pods.registry import Registry
from tricircle.pods.releases import lags
from tricircle.pods.survey import NEEDED, CatalogReader, Survey, Surveyor, catalog_urls
from tricircle.pods.zone_names import ZONES, zone_finding
from tricircle.upstream.client import Clients, ServiceClient
from tricircle.upstream.clocks import skew_s

#: Extensions of the network service without which copies of networks cannot be made or recognised.
NEEDED_EXTENSIONS = ("provider", "quotas", "security-group", "standard-attr-description")
#: Extensions without which a pod takes almost everything: what is it that it does not take?
_WISHED_EXTENSIONS = {"port-security": "networks and ports without port security cannot be in it"}
#: Seconds by which a pod's clock may differ before times in merged lists look wrong, and before tokens do.
_SKEW_NOTED_S = 2.0
_SKEW_FATAL_S = 60.0
#: Bound projects whose limits are looked at.
_PROJECTS = 5
_ENABLE = "openstack multiregion networking pod set --enable {name}"
#: Sets the state that the pod has, which writes everything about it anew.
_AGAIN = {
    PodState.ENABLED: _ENABLE,
    PodState.DRAINING: _ENABLE.replace("--enable", "--drain"),
    PodState.DISABLED: _ENABLE.replace("--enable", "--disable"),
}


class Inspection:
    """Inspects pods.

    :param catalog: Keystone as the service user sees it
    :param wall_clock: seconds since the epoch
    """

    def __init__(
        self,
        registry: Registry,
        surveyor: Surveyor,
        clients: Clients,
        catalog: CatalogReader,
        *,
        aggregates: Aggregates,
        bindings: Bindings,
        gateway: GatewaySettings,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._surveyor = surveyor
        self._clients = clients
        self._catalog = catalog
        self._aggregates = aggregates
        self._bindings = bindings
        self._gateway = gateway
        self._wall_clock = wall_clock

    async def inspect(self, pod: Pod, deadline: Deadline) -> tuple[Finding, ...]:
        """All findings on one pod, in a fixed order. A check that itself cannot be made is a failure of that check."""
        checks: Sequence[tuple[str, Callable[[Pod, Deadline], Awaitable[list[Finding]]]]] = (
            ("services", self._services),
            ("versions", self._versions),
            ("region", self._region),
            ("aggregate", self._aggregate),
            ("clock", self._clock),
            ("extensions", self._extensions),
            ("zones", self._zones),
            ("limits", self._limits),
            ("reach", self._reach),
            ("tokens", self._tokens),
        )

        try:
            await self._clients.check_own(deadline)
        except ServiceUserError as error:
            remedy = "nothing else can be looked at before"
            return (finding_of(pod, "service user", Level.FAILURE, error.message, remedy),)
        except TricircleError:
            pass  # the checks say which of them cannot be made

        async def made(name: str, check: Callable[[Pod, Deadline], Awaitable[list[Finding]]]) -> list[Finding]:
            try:
                return await check(pod, deadline)
            except TricircleError as error:
                text = f"could not be checked: {error.__cause__ or error}"
                return [finding_of(pod, name, Level.FAILURE, text, "see the findings about services")]

        results = await asyncio.gather(*(made(name, check) for name, check in checks))
        return tuple(finding for result in results for finding in result)

    async def _services(self, pod: Pod, deadline: Deadline) -> list[Finding]:
        survey = await self._surveyor.region(pod.name, deadline)
        if survey.problems:
            return [
                finding_of(pod, "services", Level.FAILURE, problem, "repair the service or its entry in the catalog")
                for problem in survey.problems
            ]
        findings = [
            finding_of(
                pod, "services", Level.OK, f"{service} at {end.url}{end.prefix} {_range(end.max_version)}".rstrip()
            )
            for service, end in sorted(survey.endpoints.items())
        ]
        if changed := _changes(pod, survey):
            findings.append(
                finding_of(
                    pod, "services", Level.WARNING, f"other than written down: {changed}", _ENABLE.format(name=pod.name)
                )
            )
        return findings

    async def _versions(self, pod: Pod, _deadline: Deadline) -> list[Finding]:
        """Whether the pod keeps from users what others have, by its row: what is offered is decided by that."""
        behind = lags(pod, await self._registry.pods())
        if not behind:
            return [finding_of(pod, "versions", Level.OK, "nobody in use has more microversions")]
        is_skipped = self._gateway.older_pods == "skip"
        remedy = f"upgrade it, then {_ENABLE.format(name=pod.name)}"
        if is_skipped:
            level, says = Level.NOTE, "calls that name more leave it out"
        else:
            level, says = Level.WARNING, "users are offered no more than that anywhere"
            remedy += "; or set [gateway] older_pods = skip"
        return [
            finding_of(
                pod,
                "versions",
                level,
                f"{lag.service} {lag.version}: {says}; {', '.join(lag.ahead)}: {lag.best}",
                remedy,
            )
            for lag in behind
        ]

    async def _region(self, pod: Pod, deadline: Deadline) -> list[Finding]:
        central = self._gateway.central_region
        region = next((one for one in await self._catalog.regions(deadline) if one.id == pod.name), None)
        if region is not None and region.parent_id != central:
            text = f"the region's parent is {region.parent_id or 'nobody'}, not {central}"
            return [finding_of(pod, "region", Level.WARNING, text, "tricircle-manage catalog sync")]
        return [finding_of(pod, "region", Level.OK, f"child of {central}")] if region else []

    async def _aggregate(self, pod: Pod, deadline: Deadline) -> list[Finding]:
        found = await self._aggregates.find(pod.name, deadline)
        name = aggregate_name(pod.name)
        if found is None or found.az_name != pod.az_name:
            seen = "is missing" if found is None else f"says {found.az_name}, not {pod.az_name}"
            text = f"aggregate {name} at the central Nova {seen}"
            return [finding_of(pod, "aggregate", Level.FAILURE, text, _ENABLE.format(name=pod.name))]
        if found.identity != Identity.of(pod):
            text = f"{name} does not say what the pod is; after a loss of the database it could not be recovered whole"
            return [finding_of(pod, "aggregate", Level.WARNING, text, _AGAIN[pod.state].format(name=pod.name))]
        return [finding_of(pod, "aggregate", Level.OK, f"{name} in {pod.az_name}")]

    async def _clock(self, pod: Pod, deadline: Deadline) -> list[Finding]:
        """The pod's clock against ours, where one of its services tells."""
        skews = await asyncio.gather(*(self._skew_s(pod, service, deadline) for service in NEEDED))
        skew_s = next((skew for skew in skews if skew is not None), None)
        if skew_s is None:
            return [
                finding_of(pod, "clock", Level.NOTE, "no answer of it carries a Date", "compare the clocks by hand")
            ]
        # Date has whole seconds: up to one of them is no difference.
        size = max(0.0, abs(skew_s) - 1.0)
        level = Level.OK if size < _SKEW_NOTED_S else Level.WARNING if size < _SKEW_FATAL_S else Level.FAILURE
        text = "as ours" if level is Level.OK else f"{skew_s:+.0f} s"
        return [finding_of(pod, "clock", level, text, "" if level is Level.OK else "synchronise with NTP")]

    async def _skew_s(self, pod: Pod, service: Service, deadline: Deadline) -> float | None:
        client = self._clients.anonymous(self._registry.target(pod, service))
        return await skew_s(client, deadline, wall_clock=self._wall_clock)

    async def _extensions(self, pod: Pod, deadline: Deadline) -> list[Finding]:
        client = self._as_service(pod, Service.NETWORK)
        listed = (await client.get("/v2.0/extensions", deadline=deadline)).get("extensions")
        have = {item.get("alias") for item in listed} if isinstance(listed, list) else set()
        missing = [alias for alias in NEEDED_EXTENSIONS if alias not in have]
        if missing:
            text = f"the network service lacks {', '.join(missing)}"
            return [finding_of(pod, "extensions", Level.FAILURE, text, "load these extensions of Neutron")]
        wished = {alias: lost for alias, lost in _WISHED_EXTENSIONS.items() if alias not in have}
        if wished:
            text = f"the network service lacks {', '.join(wished)}: {', '.join(wished.values())}"
            return [finding_of(pod, "extensions", Level.WARNING, text, "load these extensions of Neutron")]
        return [finding_of(pod, "extensions", Level.OK, f"{len(have)} network extensions")]

    async def _zones(self, pod: Pod, deadline: Deadline) -> list[Finding]:
        named: dict[tuple[str, ...], list[Service]] = {}
        for service, path, key, name in ZONES:
            listed = (await self._as_service(pod, service).get(path, deadline=deadline)).get(key)
            names = {str(item.get(name)) for item in listed} if isinstance(listed, list) else set()
            named.setdefault(tuple(sorted(names - {"internal"})), []).append(service)
        return [zone_finding(pod, services, names) for names, services in named.items()]

    async def _limits(self, pod: Pod, deadline: Deadline) -> list[Finding]:
        """Limits of projects that are bound: a finite one would bite before the centre's."""
        bound = await self._bindings.find(pod_id=pod.id)
        findings = [
            finding
            for result in await asyncio.gather(*(self._limit(pod, one, deadline) for one in bound[:_PROJECTS]))
            for finding in result
        ]
        if not findings:
            seen = f"; none of the {min(len(bound), _PROJECTS)} that were looked at is limited" if bound else ""
            findings.append(finding_of(pod, "limits", Level.OK, f"bound projects: {len(bound)}{seen}"))
        defaults = await self._defaults(pod, deadline)
        text = f"the pod's defaults ({defaults}) are lifted for each project at its first use"
        return [*findings, finding_of(pod, "limits", Level.OK, text)]

    async def _limit(self, pod: Pod, binding: Binding, deadline: Deadline) -> list[Finding]:
        try:
            bounded = await self._bindings.bounded(binding.project_id, pod, deadline)
        except UpstreamStatusError as error:
            if error.status != 400:
                raise
            text = f"project {binding.project_id} does not exist any more"
            remedy = f"openstack multiregion networking binding delete {binding.id}"
            return [finding_of(pod, "limits", Level.WARNING, text, remedy)]
        if not bounded:
            return []
        text = f"project {binding.project_id} is limited in the pod: {', '.join(bounded)}"
        remedy = "is it set by hand, or does the pod use unified limits? Limits belong to the centre"
        return [finding_of(pod, "limits", Level.WARNING, text, remedy)]

    async def _defaults(self, pod: Pod, deadline: Deadline) -> str:
        answer = await self._as_service(pod, Service.COMPUTE).get(
            "/v2.1/os-quota-class-sets/default", deadline=deadline
        )
        limits = answer.get("quota_class_set")
        shown = limits if isinstance(limits, Mapping) else {}
        return ", ".join(f"{name} {shown[name]}" for name in ("instances", "cores", "ram") if name in shown)

    async def _reach(self, pod: Pod, deadline: Deadline) -> list[Finding]:
        """Whether users could go around the doors. From here it can only be seen where the addresses are the same."""
        endpoints, services = await asyncio.gather(
            self._catalog.endpoints(deadline, pod.name), self._catalog.services(deadline)
        )
        public = catalog_urls(endpoints, services, "public")
        hidden = finding_of(
            pod,
            "reach",
            Level.NOTE,
            "Keystone's own catalog names the region; the identity door does not",
            "let users reach the doors, not Keystone's own address",
        )
        ours = urlsplit(self._gateway.public_endpoint).hostname
        same = sorted(service for service, url in public.items() if urlsplit(url).hostname == ours)
        if same:
            text = f"{', '.join(same)} have the doors' own address: who reaches the doors reaches the pod"
            remedy = "give the pod addresses that users have no way to"
            return [finding_of(pod, "reach", Level.WARNING, text, remedy), hidden]
        remedy = f"from a user's machine 'curl -m 5 {public.get(Service.COMPUTE, '')}' has to fail"
        text = "whether users reach the pod's public endpoints cannot be seen from here"
        return [finding_of(pod, "reach", Level.NOTE, text, remedy), hidden]

    async def _tokens(self, pod: Pod, _deadline: Deadline) -> list[Finding]:
        text = "application credentials with access rules work only where [keystone_authtoken] service_type is set"
        remedy = "set service_type in the pod's services if users need them"
        below = sorted(one.service for one in pod.endpoints.values() if one.service in _OF_USERS and _is_below(one.url))
        if below:
            text += f"; {', '.join(below)} hold rules against a path with more in front than users write"
            remedy += ", and let these services stand at the root of an address"
        return [finding_of(pod, "tokens", Level.NOTE, text, remedy)]

    def _as_service(self, pod: Pod, service: Service) -> ServiceClient:
        return self._clients.as_service(self._registry.target(pod, service))


#: Where a call goes on with a user's own token.
_OF_USERS = (Service.COMPUTE, Service.BLOCK_STORAGE, Service.NETWORK, Service.IMAGE)


def _is_below(url: str) -> bool:
    return urlsplit(url).path.strip("/") != ""


def _changes(pod: Pod, survey: Survey) -> str:
    """What differs between the row and the survey, in words."""
    changed = []
    for service in sorted({*pod.endpoints, *survey.endpoints}):
        old, new = pod.endpoints.get(service), survey.endpoints.get(service)
        if old is None or new is None:
            changed.append(f"{service} {'is new' if old is None else 'is gone'}")
        elif old.url != new.url:
            changed.append(f"{service} was at {old.url}")
        elif old.max_version != new.max_version:
            changed.append(f"{service} was {_range(old.max_version)}")
    return ", ".join(changed)


def _range(maximum: str | None) -> str:
    return f"up to {maximum}" if maximum else ""
