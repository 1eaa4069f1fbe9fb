# SPDX-License-Identifier: Apache-2.0
"""The data path of a lab: real Open vSwitch and OVN in namespaces, wires between the pods, real packets."""
