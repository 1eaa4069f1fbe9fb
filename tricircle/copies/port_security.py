# SPDX-License-Identifier: Apache-2.0
"""What does a pod hear of port security whose Neutron does not have the extension?

There all ports are as secure as can be, so it is said only where it is off, and then it cannot be so.
"""

from collections.abc import Mapping

from tricircle.copies.bodies import Body, text
from tricircle.copies.port_content import SECURITY
from tricircle.copies.reach import may_offer
from tricircle.errors import ConflictError
from tricircle.model.pod import Pod

#: ML2 has the extension only where an operator loads its driver.
EXTENSION = "port-security"


def check_security(pod: Pod, kind: str, original: Body) -> None:
    """Whether the pod can have it as the centre has.

    :param kind: as tenants call it, such as ``Port``
    :raises ConflictError: it cannot
    """
    if original.get(SECURITY) is False and not may_offer(pod, EXTENSION):
        raise ConflictError(
            f"{kind} {text(original, 'id')} is without port security and cannot be in availability zone {pod.az_name}."
        )


def as_known(pod: Pod, body: Mapping[str, object]) -> dict[str, object]:
    """The body of a copy without the word that the pod does not know."""
    return {field: value for field, value in body.items() if field != SECURITY or may_offer(pod, EXTENSION)}
