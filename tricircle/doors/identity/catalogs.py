# SPDX-License-Identifier: Apache-2.0
"""What of Keystone's answers may be shown? Pure."""

from collections.abc import Mapping

Body = dict[str, object]


def narrowed_catalog(catalog: object, region: str) -> object:
    """A catalog with the endpoints of one region only; services without any are left out.

    >>> narrowed_catalog([{"type": "image", "endpoints": [{"region_id": "Pod1"}]}], "RegionOne")
    []
    """
    if not isinstance(catalog, list):
        return catalog
    kept = []
    for service in catalog:
        if not isinstance(service, dict):
            continue
        endpoints = narrowed_endpoints(service.get("endpoints"), region)
        if endpoints:
            kept.append({**service, "endpoints": endpoints})
    return kept


def narrowed_endpoints(endpoints: object, region: str) -> object:
    """Endpoints of one region."""
    if not isinstance(endpoints, list):
        return endpoints
    return [endpoint for endpoint in endpoints if isinstance(endpoint, dict) and _is_in(endpoint, region)]


def narrowed_regions(regions: object, region: str) -> object:
    """The one region that tenants know."""
    if not isinstance(regions, list):
        return regions
    return [member for member in regions if isinstance(member, dict) and member.get("id") == region]


def narrowed(body: Mapping[str, object], region: str) -> Body:
    """A decoded answer whose catalogs hold one region only, wherever Keystone puts them.

    Lists of endpoints and regions of their own are not touched: administrators need them whole.
    """
    made = dict(body)
    if "catalog" in made:
        made["catalog"] = narrowed_catalog(made["catalog"], region)
    token = made.get("token")
    if isinstance(token, dict) and "catalog" in token:
        made["token"] = {**token, "catalog": narrowed_catalog(token["catalog"], region)}
    return made


def for_tenants(body: Mapping[str, object], region: str) -> Body | None:
    """A decoded answer about regions, endpoints or limits as a tenant may see it; None: it is about one of another
    region.

    >>> for_tenants({"limits": [{"id": "a", "region_id": None}, {"id": "b", "region_id": "Pod1"}]}, "RegionOne")
    {'limits': [{'id': 'a', 'region_id': None}]}
    """
    made = dict(body)
    if "endpoints" in made:
        made["endpoints"] = narrowed_endpoints(made["endpoints"], region)
    if "regions" in made:
        made["regions"] = narrowed_regions(made["regions"], region)
    endpoint = made.get("endpoint")
    if isinstance(endpoint, dict) and not _is_in(endpoint, region):
        return None
    for key in ("limits", "registered_limits"):
        if isinstance(members := made.get(key), list):
            made[key] = [member for member in members if isinstance(member, dict) and _is_known(member, region)]
    for key in ("limit", "registered_limit"):
        if isinstance(limit := made.get(key), dict) and not _is_known(limit, region):
            return None
    one = made.get("region")
    if isinstance(one, dict) and one.get("id") != region:
        return None
    return made


def _is_known(limit: Mapping[str, object], region: str) -> bool:
    """Whether a tenant may know of a limit: one without a region holds everywhere."""
    return limit.get("region_id") in (None, region)


def _is_in(endpoint: Mapping[str, object], region: str) -> bool:
    return (endpoint.get("region_id") or endpoint.get("region")) == region
