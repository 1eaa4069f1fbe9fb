# SPDX-License-Identifier: Apache-2.0
"""Of what is the console proxy made?"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tricircle.app.rooms import open_rooms
from tricircle.conf.settings import Settings
from tricircle.consoles.front import Front, Means
from tricircle.consoles.pages import Pages
from tricircle.consoles.sessions import Sessions
from tricircle.upstream.channels import Channels


@asynccontextmanager
async def console_front(settings: Settings) -> AsyncIterator[Front]:
    """The front with all that it needs; its connections are closed behind it."""
    rooms, chosen = open_rooms(settings), settings.console
    pages = Pages(
        rooms.consoles,
        rooms.registry,
        rooms.pools,
        prefix=urlsplit(chosen.public_endpoint).path,
        within_s=chosen.open_timeout_s,
    )
    means = Means(
        consoles=rooms.consoles,
        pods=rooms.registry,
        pages=pages,
        channels=Channels(settings.upstream, ping_s=chosen.ping_s),
        sessions=Sessions(most=chosen.sessions, per_user=chosen.sessions_per_user),
    )
    try:
        yield Front(means, chosen)
    finally:
        await rooms.close()
