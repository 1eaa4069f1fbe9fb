# SPDX-License-Identifier: Apache-2.0
"""What do operators see and do with the storage of all pods?

Lists are gathered; what names one host goes to the pod that its name says (0030); the rest is done in all pods.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tricircle.doors.block_storage.lists import by_version, paged_since
from tricircle.doors.block_storage.operators.everywhere import Everywhere
from tricircle.doors.block_storage.operators.host_calls import HostCalls
from tricircle.doors.block_storage.operators.hosts import NAMED, SERVICE, USAGE, adapting
from tricircle.doors.block_storage.operators.pools import Pools
from tricircle.doors.block_storage.operators.somewhere import Somewhere
from tricircle.doors.block_storage.volumes.volume_views import MESSAGE
from tricircle.http.message import Answer, Request
from tricircle.road.listing import Listing, Paging
from tricircle.road.row import Behaviour, Row
from tricircle.road.zone_filter import ZoneFilter

#: A list that comes whole.
_WHOLE = Listing(paging=Paging.NONE, adapt=adapting("host"))
#: As that, of things that are named as hosts are.
_NAMED = Listing(paging=Paging.NONE, adapt=adapting("name"))
#: Messages, from 3.5 on; before, all of them come at once whatever is asked for.
MESSAGES = Listing(
    paging=Paging.CINDER,
    ties=("created_at", "id"),
    noun="Message",
    links="messages_links",
    fields={"expires_at": "guaranteed_until"},
)
_ZONED = Listing(paging=Paging.NONE, zone_filter=ZoneFilter(name="zone"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """The special cases of operators."""

    calls: HostCalls
    everywhere: Everywhere
    pools: Pools
    somewhere: Somewhere


def rows(operating: Operating) -> Iterator[Row]:
    """Services, hosts, clusters, pools, workers and messages."""
    yield from _service_rows(operating)
    yield _pool_row(operating.pools)
    yield from _host_rows(operating.calls)
    yield from by_version(_cluster_rows(operating.calls), "3.7")
    cleanup = operating.everywhere.cleanup
    yield Row(("POST",), "/workers/cleanup", Behaviour.OURS, handler=cleanup, min_version="3.24")
    yield from by_version(_message_rows(operating.somewhere), "3.3")


def _service_rows(operating: Operating) -> Iterator[Row]:
    yield Row(("GET",), "/os-services", Behaviour.GATHER, collection="services", listing=_WHOLE, shape=SERVICE)
    for action in ("enable", "disable", "disable-log-reason", "freeze", "thaw", "failover_host"):
        yield Row(("PUT",), f"/os-services/{action}", Behaviour.OURS, handler=operating.calls.service)
    yield Row(("PUT",), "/os-services/failover", Behaviour.OURS, handler=operating.calls.service, min_version="3.26")
    for action in ("get-log", "set-log"):
        logs = operating.everywhere.logs
        yield Row(("PUT",), f"/os-services/{action}", Behaviour.OURS, handler=logs, min_version="3.32")


def _pool_row(pools: Pools) -> Row:
    path = "/scheduler-stats/get_pools"
    listed = Row(("GET",), path, Behaviour.GATHER, collection="pools", listing=_NAMED, shape=NAMED)

    async def index(request: Request) -> Answer:
        return await pools.index(request, listed)

    return replace(listed, handler=index)


def _host_rows(calls: HostCalls) -> Iterator[Row]:
    yield Row(("GET",), "/capabilities/{host}", Behaviour.OURS, handler=calls.at("capabilities"))
    yield Row(("GET",), "/os-hosts", Behaviour.GATHER, collection="hosts", listing=_ZONED, shape=SERVICE)
    # Cinder has this path, and a refusal for whoever asks.
    yield Row(("PUT",), "/os-hosts", Behaviour.CENTRAL)
    yield Row(("GET", "PUT"), "/os-hosts/{host}", Behaviour.OURS, handler=calls.at("os-hosts", listed=USAGE))


def _cluster_rows(calls: HostCalls) -> Iterator[Row]:
    for path in ("/clusters", "/clusters/detail"):
        yield Row(("GET",), path, Behaviour.GATHER, collection="clusters", listing=_NAMED, shape=NAMED)
    yield Row(("GET",), "/clusters/{host}", Behaviour.OURS, handler=calls.at("clusters", is_cluster=True))
    for action in ("enable", "disable"):
        yield Row(("PUT",), f"/clusters/{action}", Behaviour.OURS, handler=calls.cluster)


def _message_rows(somewhere: Somewhere) -> Iterator[Row]:
    listed = Row(("GET",), "/messages", Behaviour.GATHER, collection="messages", listing=MESSAGES, shape=MESSAGE)
    yield from paged_since([listed], "3.5")
    one = "/messages/{message_id}"
    yield Row(("GET",), one, Behaviour.OURS, handler=somewhere.showing("message", MESSAGE))
    yield Row(("DELETE",), one, Behaviour.OURS, handler=somewhere.delete)
