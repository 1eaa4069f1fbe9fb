# SPDX-License-Identifier: Apache-2.0
"""What lets the trunk plugin load at the centre, where no agent and no switch exist?"""

from neutron.services.trunk.drivers import base
from neutron_lib.api.definitions import portbindings
from neutron_lib.services.trunk import constants


class TrunkDriver(base.DriverBase):
    """Declares the interfaces that our mechanism driver binds; trunks are records until pods realise them."""

    def __init__(self) -> None:
        super().__init__(
            "tricircle",
            interfaces=(portbindings.VIF_TYPE_OVS,),
            segmentation_types=(constants.SEGMENTATION_TYPE_VLAN,),
            agent_type=None,
            can_trunk_bound_port=True,
        )

    @property
    def is_loaded(self) -> bool:
        """Always: only our mechanism driver makes this object."""
        return True
