# SPDX-License-Identifier: Apache-2.0
"""Whose certificates do we believe?"""

import ssl

from tricircle.conf.settings import UpstreamSettings


def trust_of(settings: UpstreamSettings) -> ssl.SSLContext:
    """Whose certificates upstreams may have."""
    context = ssl.create_default_context(cafile=settings.ca_file or None)
    if settings.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
