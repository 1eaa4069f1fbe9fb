# SPDX-License-Identifier: Apache-2.0
"""Is a client's query read as the service reads it?"""

from tricircle.road.listing import Listing, Paging, Query
from tricircle.road.lists.paging import list_key, wish_of


def test_novas_directions() -> None:
    """The key that makes the order total brings its direction along, which the second of the client's may get."""
    keys = [("sort_key", "a"), ("sort_key", "b")]

    def order(*query: tuple[str, str]) -> tuple[tuple[str, bool], ...]:
        listing = Listing(paging=Paging.NOVA, ties=(), unique="uuid", ignored=frozenset({"id"}))
        return wish_of(list(query), listing).order

    assert order() == (("created_at", True), ("uuid", False))
    assert order(("sort_dir", "asc")) == (("created_at", False), ("uuid", False))
    assert order(*keys) == (("a", True), ("b", False), ("uuid", True))
    assert order(*keys, ("sort_dir", "asc")) == (("a", False), ("b", False), ("uuid", False))
    falling = [("sort_dir", "desc")] * 2
    assert order(*keys, *falling) == (("a", True), ("b", True), ("uuid", False))
    assert order(("sort_key", "uuid")) == (("uuid", True),)
    # Nova takes the direction of a key that it passes over away with it.
    assert order(("sort_key", "id"), keys[0], ("sort_dir", "desc"), ("sort_dir", "asc")) == (
        ("a", False),
        ("uuid", False),
    )


def test_the_last_of_several_limits_and_markers_counts() -> None:
    wish = wish_of([("limit", "5"), ("marker", "x"), ("limit", "2"), ("marker", "y")], Listing(paging=Paging.NOVA))
    assert (wish.limit, wish.marker, wish.filters) == (2, "y", ())


def test_two_orders_of_the_same_words_are_two_lists() -> None:
    """Keys and directions mean something by their order; filters do not, nor does how many are wanted."""

    def key(*query: tuple[str, str]) -> str:
        wished: Query = list(query)
        return list_key("p", "compute", "/servers", wish_of(wished, Listing(paging=Paging.NOVA)))

    name, age = ("sort_key", "display_name"), ("sort_key", "created_at")
    up, down = ("sort_dir", "asc"), ("sort_dir", "desc")
    assert key(name, up, age, down) != key(age, up, name, down)
    assert key(name, up, age, down) != key(name, down, age, up)
    assert key(name, up, age, down) == key(name, age, up, down)
    assert key(("name", "a"), ("status", "b"), ("limit", "3")) == key(("status", "b"), ("name", "a"), ("limit", "9"))
