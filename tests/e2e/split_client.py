# SPDX-License-Identifier: Apache-2.0
"""How does the tenant's traffic pass a recorder while the administrator's does not?"""

from collections.abc import Mapping
from typing import Any

from lab.stock_client import Result, StockClient


class SplitClient:
    """Two stock clients that look like one: the tenants' goes through a proxy.

    :param tenant_environment: the variables that make a client use the proxy
    """

    def __init__(self, lab_paths: Any, tenant_environment: Mapping[str, str]) -> None:
        self._tenant = StockClient(lab_paths.python, lab_paths.clouds, tenant_environment)
        self._admin = StockClient(lab_paths.python, lab_paths.clouds)

    def __enter__(self) -> "SplitClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._tenant.close()
        self._admin.close()

    def _of(self, cloud: str) -> StockClient:
        return self._tenant if cloud in {"tricircle", "tricircle-alt"} else self._admin

    def run(self, cloud: str, *argv: str, check: bool = True) -> Result:
        """As ``StockClient.run``."""
        return self._of(cloud).run(cloud, *argv, check=check)

    def json(self, cloud: str, *argv: str) -> Any:
        """As ``StockClient.json``."""
        return self._of(cloud).json(cloud, *argv)
