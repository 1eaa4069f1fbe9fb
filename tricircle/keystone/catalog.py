# SPDX-License-Identifier: Apache-2.0
"""Which regions, services and endpoints does Keystone list, and how do ours get there?

Reads and writes go as the service user, in threads, each within a deadline. ``ensure_*`` find or create and never
change what an operator made otherwise, except an endpoint's URL.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import ClientException, HttpError, HttpServerError

from tricircle.conf.settings import Settings
from tricircle.context import Deadline
from tricircle.errors import IDENTITY_AWAY, UnavailableError, UpstreamStatusError
from tricircle.keystone.session import open_session

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A region of the catalog; ``parent_id`` is the region it stands below."""

    id: str
    parent_id: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogService:
    """A service of the catalog."""

    id: str
    type: str
    name: str = ""
    is_enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEndpoint:
    """Where a service answers in a region. ``interface`` is ``public``, ``internal`` or ``admin``."""

    id: str
    service_id: str
    interface: str
    region_id: str | None
    url: str
    is_enabled: bool = True


class Catalog:
    """Keystone's catalog, as the service user sees and changes it.

    :param session: a keystoneauth session; None opens one of the service user on first use
    """

    def __init__(self, settings: Settings, *, session: Any = None) -> None:
        self._settings = settings
        self._session = session
        self._adapter: Any = None

    async def regions(self, deadline: Deadline) -> list[Region]:
        """All regions. Raises UnavailableError or UpstreamStatusError, as every method here."""
        return [_region(item) for item in await self._list("/regions", "regions", deadline)]

    async def services(self, deadline: Deadline) -> list[CatalogService]:
        """All services, the switched off ones too."""
        return [_service(item) for item in await self._list("/services", "services", deadline)]

    async def endpoints(self, deadline: Deadline, region_id: str | None = None) -> list[CatalogEndpoint]:
        """All endpoints, or those of one region; the switched off ones too."""
        path = "/endpoints" if region_id is None else f"/endpoints?region_id={region_id}"
        return [_endpoint(item) for item in await self._list(path, "endpoints", deadline)]

    async def user_ids(self, deadline: Deadline) -> list[str]:
        """The ids of all users that Keystone lists; large directories may be cut short by its ``list_limit``."""
        return [str(item["id"]) for item in await self._list("/users", "users", deadline)]

    async def ensure_region(
        self, region_id: str, deadline: Deadline, *, parent_id: str | None = None, description: str = ""
    ) -> Region:
        """The region, made if it was missing; a missing parent is added."""
        for region in await self.regions(deadline):
            if region.id == region_id:
                if parent_id is None or region.parent_id == parent_id:
                    return region
                body = {"region": {"parent_region_id": parent_id}}
                return _region((await self._send("PATCH", f"/regions/{region_id}", body, deadline))["region"])
        made = {"id": region_id, "description": description, "parent_region_id": parent_id}
        return _region((await self._send("POST", "/regions", {"region": made}, deadline))["region"])

    async def ensure_service(
        self, service_type: str, name: str, deadline: Deadline, *, description: str = ""
    ) -> CatalogService:
        """The service of this type (the first one, if there are several), made if it was missing."""
        for service in await self.services(deadline):
            if service.type == service_type:
                return service
        made = {"type": service_type, "name": name, "description": description}
        return _service((await self._send("POST", "/services", {"service": made}, deadline))["service"])

    async def ensure_endpoint(
        self, service_id: str, interface: str, region_id: str, url: str, deadline: Deadline
    ) -> CatalogEndpoint:
        """The endpoint with this URL: made if it was missing, changed if it had another."""
        for endpoint in await self.endpoints(deadline, region_id):
            if (endpoint.service_id, endpoint.interface) == (service_id, interface):
                if endpoint.url == url:
                    return endpoint
                body = {"endpoint": {"url": url}}
                return _endpoint((await self._send("PATCH", f"/endpoints/{endpoint.id}", body, deadline))["endpoint"])
        made = {"service_id": service_id, "interface": interface, "region_id": region_id, "url": url}
        return _endpoint((await self._send("POST", "/endpoints", {"endpoint": made}, deadline))["endpoint"])

    async def _list(self, path: str, key: str, deadline: Deadline) -> list[dict[str, Any]]:
        items = (await self._send("GET", path, None, deadline)).get(key)
        return items if isinstance(items, list) else []

    async def _send(self, method: str, path: str, body: object, deadline: Deadline) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            response = self._opened().request(path, method, json=body, connect_retries=1)
            answer: dict[str, Any] = response.json()
            return answer

        return await _in_thread(ask, deadline)

    def _opened(self) -> Any:
        if self._adapter is None:
            session = self._session or open_session(self._settings)
            root = f"{self._settings.central.identity_url}/v3"
            self._adapter = Adapter(session, service_type="identity", endpoint_override=root)
        return self._adapter


async def _in_thread(ask: Callable[[], T], deadline: Deadline) -> T:
    try:
        async with asyncio.timeout(deadline.remaining_s()):
            return await asyncio.to_thread(ask)
    except HttpServerError as error:
        raise UnavailableError(IDENTITY_AWAY) from error
    except HttpError as error:
        raise UpstreamStatusError(error.http_status, str(error), "identity") from error
    except (ClientException, TimeoutError) as error:
        raise UnavailableError(IDENTITY_AWAY) from error


def _region(item: dict[str, Any]) -> Region:
    return Region(id=item["id"], parent_id=item.get("parent_region_id"), description=item.get("description") or "")


def _service(item: dict[str, Any]) -> CatalogService:
    return CatalogService(
        id=item["id"], type=item["type"], name=item.get("name") or "", is_enabled=item.get("enabled", True)
    )


def _endpoint(item: dict[str, Any]) -> CatalogEndpoint:
    return CatalogEndpoint(
        id=item["id"],
        service_id=item["service_id"],
        interface=item["interface"],
        region_id=item.get("region_id"),
        url=item["url"],
        is_enabled=item.get("enabled", True),
    )
