# SPDX-License-Identifier: Apache-2.0
"""What decides the place of an item among the items of several pods? Pure."""

from tricircle.model.pod import Pod
from tricircle.road.collation import key
from tricircle.road.listing import Item, Listing, Order

#: The sort key of which an item shows what we call it.
ZONE_KEY = "availability_zone"
#: What of an item never changes.
_FIXED = frozenset(("created_at", "id", "uuid", "project_id", "user_id"))


class Falling:
    """Turns the order of one sort value round."""

    __slots__ = ("value",)

    def __init__(self, value: tuple[int, object]) -> None:
        self.value = value

    def __lt__(self, other: "Falling") -> bool:
        return other.value < self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Falling) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


def sort_value(value: object) -> tuple[int, object]:
    """A value that can be compared with any other: null first, then numbers, then texts.

    Texts are compared as the services' databases do.

    >>> sort_value("b") > sort_value("A") > sort_value(7) > sort_value(None)
    True
    """
    if isinstance(value, bool | int | float):
        return 1, value
    if not isinstance(value, str):
        return 0, 0
    return 2, key(value)


def visible(order: Order, listing: Listing) -> Order:
    """The part of an order that items of all pods show. What a pod has several AZs for, shows one.

    >>> from tricircle.road.listing import Paging
    >>> visible((("a", True), ("b", True)), Listing(paging=Paging.NOVA, hidden=frozenset({"b"})))
    (('a', True),)
    """
    for place, (name, _) in enumerate(order):
        if name in listing.hidden:
            return order[:place]
        if name == ZONE_KEY:
            return order[: place + 1]
    return order


def is_moving(order: Order) -> bool:
    """Whether an item can come to stand elsewhere.

    >>> is_moving((("created_at", True), ("uuid", False))), is_moving((("updated_at", True),))
    (False, True)
    """
    return any(name not in _FIXED for name, _ in order)


def lacks(item: Item, name: str, pod: Pod, listing: Listing) -> bool:
    """Whether an item shows that it has no value for a sort key."""
    return values_of(item, pod, listing, ((name, False),)) == (None,)


def values_of(item: Item, pod: Pod, listing: Listing, order: Order) -> tuple[object, ...]:
    """What of an item decides its place between pods, up to the first key that it does not show; only what JSON can
    hold."""
    found: list[object] = []
    for name, _ in order:
        if name == ZONE_KEY:
            found.append(pod.az_name)
            continue
        path = listing.fields.get(name, name).split("/")
        if path[0] not in item:
            break
        value: object = item
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        found.append(value if isinstance(value, str | int | float) else None)
    return tuple(found)
