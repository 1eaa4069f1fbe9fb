# SPDX-License-Identifier: Apache-2.0
"""What do operators see of the storage of all pods, and what must they do at a pod itself?

Lists are gathered. What names one host is refused where several pods may have a host of that name: which one is meant
cannot be told.
"""

from collections.abc import Iterator

from tricircle.doors.block_storage.lists import by_version
from tricircle.doors.block_storage.somewhere import Somewhere
from tricircle.doors.block_storage.volume_views import MESSAGE, ZONED
from tricircle.http.message import Answer, Request
from tricircle.road.carrier import not_carried
from tricircle.road.merge import Listing, Paging
from tricircle.road.row import Behaviour, Row

_ANY = ("GET", "POST", "PUT", "DELETE")
#: What is about one host of one pod.
_HOSTS = ("/manageable_volumes", "/manageable_snapshots", "/os-volume-manage", "/os-snapshot-manage", "/workers")


def rows(somewhere: Somewhere) -> Iterator[Row]:
    """Services, hosts, clusters, pools, messages, and what cannot be told apart."""
    plain = Listing(paging=Paging.NONE, zone_filter=None)
    yield Row(("GET",), "/os-services", Behaviour.GATHER, collection="services", listing=plain, shape=ZONED)
    yield Row(("PUT",), "/os-services/{rest...}", Behaviour.OURS, handler=refused)
    yield Row(("GET",), "/scheduler-stats/get_pools", Behaviour.GATHER, collection="pools", listing=plain)
    yield Row(("GET",), "/capabilities/{host}", Behaviour.OURS, handler=somewhere.showing(""))
    yield Row(("GET",), "/os-hosts", Behaviour.GATHER, collection="hosts", listing=plain, shape=ZONED)
    yield Row(("GET",), "/os-hosts/{host}", Behaviour.OURS, handler=somewhere.showing("host"))
    yield Row(("PUT",), "/os-hosts", Behaviour.OURS, handler=refused)
    yield Row(("PUT",), "/os-hosts/{host}", Behaviour.OURS, handler=refused)
    yield from by_version(_cluster_rows(somewhere, plain), "3.7")
    yield from by_version(_message_rows(somewhere), "3.3")
    for path in _HOSTS:
        yield Row(_ANY, path, Behaviour.OURS, handler=refused)
        yield Row(_ANY, path + "/{rest...}", Behaviour.OURS, handler=refused)


def _cluster_rows(somewhere: Somewhere, plain: Listing) -> Iterator[Row]:
    for path in ("/clusters", "/clusters/detail"):
        yield Row(("GET",), path, Behaviour.GATHER, collection="clusters", listing=plain)
    yield Row(("GET",), "/clusters/{cluster}", Behaviour.OURS, handler=somewhere.showing("cluster"))
    yield Row(("PUT",), "/clusters/{rest...}", Behaviour.OURS, handler=refused)


def _message_rows(somewhere: Somewhere) -> Iterator[Row]:
    # No routing is kept for a message: a marker must come from a page of ours.
    listing = Listing(paging=Paging.CINDER, ties=("created_at", "id"), noun="Message", links="messages_links")
    yield Row(("GET",), "/messages", Behaviour.GATHER, collection="messages", listing=listing, shape=MESSAGE)
    one = "/messages/{message_id}"
    yield Row(("GET",), one, Behaviour.OURS, handler=somewhere.showing("message", MESSAGE))
    yield Row(("DELETE",), one, Behaviour.OURS, handler=somewhere.delete)


async def refused(request: Request) -> Answer:
    """A documented call that nobody carries yet. :raises NotImplementedByUsError: always"""
    raise not_carried(request)
