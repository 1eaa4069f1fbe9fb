# SPDX-License-Identifier: Apache-2.0
"""The older Glance's API."""

from glance.common.wsgi_app import init_app

application = init_app()

__all__ = ["application"]
