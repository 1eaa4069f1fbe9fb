# SPDX-License-Identifier: Apache-2.0
"""In which forms do the compute door's rows come? Shorthands for the tables beside this module."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from tricircle.http.message import Answer, Handler, Request
from tricircle.model.routing import Kind
from tricircle.road.listing import Listing, Order, Paging
from tricircle.road.rewrite import Shape
from tricircle.road.row import Behaviour, Row


def of_server(
    methods: tuple[str, ...],
    path: str,
    *,
    singular: str | None = None,
    collection: str | None = None,
    shape: Shape | None = None,
    max_version: str | None = None,
) -> Row:
    """A row that is routed by ``{server_id}``."""
    return Row(
        methods,
        path,
        Behaviour.ROUTE,
        kind=Kind.SERVER,
        id_param="server_id",
        singular=singular,
        collection=collection,
        shape=shape,
        max_version=max_version,
    )


def gathered(
    path: str,
    collection: str,
    *,
    versions: tuple[str | None, str | None] = (None, None),
    listing: Listing | None = None,
    shape: Shape | None = None,
) -> Row:
    """A list of all pods.

    :param versions: first and last microversion of the row
    :param listing: without it, the whole list at once, in the pods' order
    """
    return Row(
        ("GET",),
        path,
        Behaviour.GATHER,
        collection=collection,
        listing=listing or Listing(paging=Paging.NONE, order=()),
        shape=shape,
        min_version=versions[0],
        max_version=versions[1],
    )


def paged(collection: str, *, order: Order = (), id_key: str = "id") -> Listing:
    """A list with Nova's pages and no order that a client may choose; without keys, pod after pod."""
    return Listing(paging=Paging.NOVA, order=order, ties=(), links=f"{collection}_links", id_key=id_key)


def with_handler(row: Row, handler: Handler) -> Row:
    """The row, carried out by a special case."""
    return replace(row, handler=handler)


def bound(special: Callable[[Request, Row], Awaitable[Answer]], row: Row) -> Handler:
    """A special case that needs the row itself, to do with it what the behaviour does."""

    async def handler(request: Request) -> Answer:
        return await special(request, row)

    return handler
