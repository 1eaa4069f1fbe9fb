# SPDX-License-Identifier: Apache-2.0
"""What does a region have, and does it answer? What registration writes down, and what it refuses with.

Everything is asked before anything is said, so that an operator reads all that is wrong at once. Texts name regions
and addresses: they are for operators only.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tricircle.conf.settings import CentralSettings
from tricircle.context import Deadline, PodId
from tricircle.errors import (
    BadUpstreamAnswerError,
    OutcomeUnknownError,
    UnavailableError,
    UpstreamStatusError,
)
from tricircle.keystone.catalog import CatalogEndpoint, CatalogService, Region
from tricircle.model.pod import CATALOG_TYPES, DHCP_AGENTS, WIRES, Endpoint, Service
from tricircle.pods.discovery import SPOKEN, Location, Versions, locate, versions
from tricircle.upstream.client import Clients, ServiceClient
from tricircle.upstream.reply import Target

#: What a pod must have. Without one of these no server with a network and a volume could live there.
NEEDED = (Service.COMPUTE, Service.NETWORK, Service.BLOCK_STORAGE)
#: What a pod may have: without an image service it uses the central one, without placement nobody knows its room.
#: One that the catalog lists has to answer like the others.
OPTIONAL = (Service.IMAGE, Service.PLACEMENT)

#: Calls that only an administrator of the pod may make: they prove that the pod takes the tokens of our Keystone and
#: that the service user may act there.
_ADMIN_CALLS: Mapping[Service, str] = {
    Service.COMPUTE: "/v2.1/os-services?binary=nova-conductor",
    Service.BLOCK_STORAGE: "/v3/os-services?binary=cinder-scheduler",
    # A list of agents is merely empty for others. There need not be such a project.
    Service.NETWORK: "/v2.0/quotas/00000000-0000-4000-8000-000000000000",
}
_Failure = (UnavailableError, OutcomeUnknownError, BadUpstreamAnswerError, UpstreamStatusError)


class CatalogReader(Protocol):
    """What a survey needs of Keystone."""

    async def regions(self, deadline: Deadline) -> list[Region]:
        """All regions."""
        ...

    async def services(self, deadline: Deadline) -> list[CatalogService]:
        """All services."""
        ...

    async def endpoints(self, deadline: Deadline, region_id: str | None = None) -> list[CatalogEndpoint]:
        """The endpoints of a region."""
        ...


@dataclass(frozen=True, slots=True)
class _Visit:
    """One survey of one region. Each has a breaker of its own: what an earlier one met must not answer for this one."""

    name: str
    mark: PodId

    def target(self, service: Service, url: str) -> Target:
        return Target(pod=self.mark, service=service, url=url, label=f"{self.name}/{service}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found in a region. ``problems`` are sentences; when there are any, the rest is incomplete.

    :ivar listed: what the catalog says of the services, whether they answer or not; without versions
    """

    endpoints: Mapping[Service, Endpoint] = field(default_factory=dict)
    listed: Mapping[Service, Endpoint] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


class Surveyor:
    """Surveys regions.

    :param interface: which of a pod's endpoints to use: ``public``, ``internal`` or ``admin``; the public one where
        the pod has no such
    """

    def __init__(self, catalog: CatalogReader, clients: Clients, central: CentralSettings, *, interface: str) -> None:
        self._catalog = catalog
        self._clients = clients
        self._central = central
        self._interface = interface

    async def region(self, name: str, deadline: Deadline) -> Survey:
        """A pod's region as its catalog and its services show it.

        :raises UnavailableError: Keystone does not answer
        """
        missing = await self._missing_region(name, deadline)
        if missing:
            return Survey(problems=(missing,))
        endpoints, services = await asyncio.gather(
            self._catalog.endpoints(deadline, name), self._catalog.services(deadline)
        )
        urls = catalog_urls(endpoints, services, self._interface)
        problems = [_absent(service, name) for service in NEEDED if service not in urls]
        places: dict[Service, Location] = {}
        for service, url in urls.items():
            place = locate(url)
            if place is None:
                problems.append(f"The catalog's URL of {service} in region '{name}' is no http(s) URL: {url}")
            else:
                places[service] = place
        return await self._visited(name, places, problems, deadline)

    async def centre(self, name: str, deadline: Deadline) -> Survey:
        """The central region: it has to be in Keystone; its services are those of the settings."""
        missing = await self._missing_region(name, deadline)
        if missing:
            return Survey(problems=(missing,))
        urls = {
            Service.COMPUTE: self._central.compute_url,
            Service.BLOCK_STORAGE: self._central.block_storage_url,
            Service.IMAGE: self._central.image_url,
            Service.NETWORK: self._central.network_url,
            Service.IDENTITY: self._central.identity_url,
        }
        places = {service: Location(root=url, prefix=SPOKEN[service][1]) for service, url in urls.items()}
        return await self._visited(name, places, [], deadline)

    async def _missing_region(self, name: str, deadline: Deadline) -> str | None:
        known = sorted(region.id for region in await self._catalog.regions(deadline))
        if name in known:
            return None
        return f"Region '{name}' does not exist in Keystone. Existing regions: {', '.join(known) or 'none'}."

    async def _visited(
        self, name: str, places: Mapping[Service, Location], problems: Sequence[str], deadline: Deadline
    ) -> Survey:
        listed = {
            service: Endpoint(service=service, url=place.root, prefix=place.prefix) for service, place in places.items()
        }
        visit = _Visit(name, PodId(f"survey:{uuid.uuid4()}"))
        answers = await asyncio.gather(
            *(self._endpoint(visit, service, place, deadline) for service, place in places.items())
        )
        endpoints = {answer.service: answer for answer in answers if isinstance(answer, Endpoint)}
        said = [*problems, *(answer for answer in answers if isinstance(answer, str))]
        if said:
            return Survey(endpoints=endpoints, listed=listed, problems=tuple(said))
        refusals, facts = await asyncio.gather(
            self._refusals(visit, endpoints, deadline), self._facts(visit, endpoints[Service.NETWORK], deadline)
        )
        return Survey(endpoints=endpoints, listed=listed, facts=facts, problems=refusals)

    async def _endpoint(self, visit: _Visit, service: Service, place: Location, deadline: Deadline) -> Endpoint | str:
        """The endpoint with its versions, or what is wrong with it."""
        target = visit.target(service, place.root)
        try:
            said = await _versions(self._clients.anonymous(target), "/", deadline)
            if not isinstance(said, Versions):
                # Behind a proxy that forwards only the versioned path there is no root document. Cinder wants a
                # token for the versioned one.
                prefix = place.prefix or SPOKEN[service][1]
                again = await _versions(self._clients.as_service(target), f"{prefix}/", deadline)
                said = again if isinstance(again, Versions) else said
        except _Failure as error:
            return f"{service} at {place.root} does not answer: {str(error.__cause__ or '') or error}"
        if not isinstance(said, Versions):
            return f"{service} at {place.root} answers, but {said}"
        return Endpoint(
            service=service,
            url=place.root,
            prefix=place.prefix,
            min_version=said.minimum,
            max_version=said.maximum,
        )

    async def _refusals(
        self, visit: _Visit, endpoints: Mapping[Service, Endpoint], deadline: Deadline
    ) -> tuple[str, ...]:
        """Services that do not let the service user act as administrator."""

        async def refusal(service: Service, path: str) -> str | None:
            url = endpoints[service].url
            try:
                await self._clients.as_service(visit.target(service, url)).get(path, deadline=deadline)
            except UpstreamStatusError as error:
                return _refused(service, url, error)
            except _Failure as error:
                return f"{service} at {url} does not answer: {str(error.__cause__ or '') or error}"
            return None

        calls = [refusal(service, path) for service, path in _ADMIN_CALLS.items() if service in endpoints]
        return tuple(text for text in await asyncio.gather(*calls) if text is not None)

    async def _facts(self, visit: _Visit, network: Endpoint, deadline: Deadline) -> dict[str, object]:
        """What the network service can do: its extensions, and the physical networks that its agents tell of."""
        client = self._clients.as_service(visit.target(Service.NETWORK, network.url))
        try:
            answer, agents = await asyncio.gather(
                client.get("/v2.0/extensions", deadline=deadline), client.get("/v2.0/agents", deadline=deadline)
            )
        except _Failure:
            # _refusals makes such a call too, and tells why it fails.
            return {}
        listed = answer.get("extensions")
        aliases = sorted({str(item["alias"]) for item in listed if "alias" in item}) if isinstance(listed, list) else []
        facts: dict[str, object] = {"network_extensions": aliases}
        if names := physical_networks(agents.get("agents")):
            facts[WIRES] = names
        facts[DHCP_AGENTS] = dhcp_agents(agents.get("agents"))
        return facts


async def _versions(client: ServiceClient, path: str, deadline: Deadline) -> Versions | str:
    """What the document offers, or what else the service says there. 300 is Cinder's and Glance's answer to ``/``."""
    reply = await client.reply("GET", path, deadline=deadline)
    if reply.status not in (200, 300):
        return f"with {reply.status} where its version document should be"
    try:
        found = versions(client.target.service, reply.json())
    except BadUpstreamAnswerError:
        return "what it sends is not a version document"
    return found or f"it does not offer version {SPOKEN[client.target.service][0].rstrip('.')}"


def catalog_urls(
    endpoints: Sequence[CatalogEndpoint], services: Sequence[CatalogService], interface: str
) -> dict[Service, str]:
    """The URL of each service of a region, by the best catalog type and the wanted interface (else the public one)."""
    types = {service.id: service.type for service in services if service.is_enabled}
    by_type: dict[tuple[str, str], str] = {}
    for endpoint in endpoints:
        if endpoint.is_enabled and endpoint.service_id in types:
            by_type.setdefault((types[endpoint.service_id], endpoint.interface), endpoint.url)
    found: dict[Service, str] = {}
    for service in (*NEEDED, *OPTIONAL):
        keys = [(kind, face) for kind in CATALOG_TYPES[service] for face in (interface, "public")]
        url = next((by_type[key] for key in keys if key in by_type), None)
        if url is not None:
            found[service] = url
    return found


def physical_networks(agents: object) -> list[str]:
    """The physical networks that network agents say they are wired to, sorted; agents that are hidden say none.

    >>> physical_networks([{"configurations": {"bridge_mappings": {"wan": "br-wan"}}},
    ...                    {"configurations": {"bridge-mappings": "wan:br-wan,far:br-far"}}])
    ['far', 'wan']
    """
    names: set[str] = set()
    for agent in agents if isinstance(agents, list) else []:
        configurations = agent.get("configurations") if isinstance(agent, dict) else None
        if not isinstance(configurations, dict):
            continue
        if isinstance(mappings := configurations.get("bridge_mappings"), dict):
            names.update(str(name) for name in mappings)
        if isinstance(mappings := configurations.get("bridge-mappings"), str):  # OVN's
            names.update(name for pair in mappings.split(",") if (name := pair.partition(":")[0].strip()))
    return sorted(names)


def dhcp_agents(agents: object) -> int:
    """How many of the agents may be given networks to serve.

    >>> dhcp_agents([{"agent_type": "DHCP agent", "admin_state_up": True}, {"agent_type": "L3 agent"}])
    1
    """
    listed = [agent for agent in agents if isinstance(agent, dict)] if isinstance(agents, list) else []
    return sum(agent.get("agent_type") == "DHCP agent" and agent.get("admin_state_up") is True for agent in listed)


def _absent(service: Service, name: str) -> str:
    types = " or ".join(CATALOG_TYPES[service])
    return f"The catalog lists no endpoint of {service} (type {types}) in region '{name}'."


def _refused(service: Service, url: str, error: UpstreamStatusError) -> str | None:
    if error.status == 401:
        return f"{service} at {url} refuses the service user's token (401): is it configured for another Keystone?"
    if error.status == 403:
        return f"{service} at {url} does not accept the service user as administrator (403): it needs the admin role."
    if error.status >= 500:
        return f"{service} at {url} answers {error.status} to an administrator's call."
    # The call is not known there (an old release, an extension that is not loaded): nothing is proved, nothing is
    # wrong.
    return None
