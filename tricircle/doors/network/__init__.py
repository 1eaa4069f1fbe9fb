# SPDX-License-Identifier: Apache-2.0
"""How do we speak the network API? The central Neutron answers all of it, and its driver files the jobs.

Words: *realised port* (a port that has a copy in a pod). May use: ``road`` and everything below. Must never: file a job
for what the driver has written down already.
"""
