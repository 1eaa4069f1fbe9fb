# SPDX-License-Identifier: Apache-2.0
"""How does the contract suite open the fake pod?"""

from collections.abc import Iterator
from contextlib import contextmanager

import requests

from tests.contract.cloud import Caller, Cloud, make_flavor
from tricircle.testing.identities import Identities
from tricircle.testing.listener import ThreadedListener
from tricircle.testing.pods import PREFIXES, FakePod

#: Small, as that of the lab's even pods, so that a cut page is seen.
PAGE_LIMIT = 7


@contextmanager
def open_fake() -> Iterator[Cloud]:
    """A fake pod with the users that the lab has."""
    identities = Identities()
    identities.add_user("admin", "secret", {"admin": ["admin", "member", "reader"]})
    for name in ("demo", "alt"):
        identities.add_user(name, "secret", {name: ["member", "reader"]})
    pod = FakePod("Pod1", identities, zone="canary-zone-fake", max_limit=PAGE_LIMIT)
    image_id = pod.glance.add("contract", bytes(64), identities.projects["admin"].id)
    with ThreadedListener(pod) as listener, requests.Session() as session:
        session.trust_env = False
        roots = {service: listener.url + prefix for service, prefix in PREFIXES.items()}
        callers = {name: _caller(name, identities, roots, session) for name in ("admin", "demo", "alt")}
        yield Cloud(
            name="fake",
            admin=callers["admin"],
            tenant=callers["demo"],
            other=callers["alt"],
            page_limit=PAGE_LIMIT,
            zone=pod.neutron.zone,
            image_id=image_id,
            flavor_id=make_flavor(callers["admin"]),
        )


def _caller(name: str, identities: Identities, roots: dict[str, str], session: requests.Session) -> Caller:
    token = identities.sign_in(name, "secret", name)
    identity = identities.of(token)
    assert identity is not None
    return Caller(roots=roots, token=token, user_id=identity.user_id, project_id=identity.project_id, session=session)
