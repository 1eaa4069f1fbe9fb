# SPDX-License-Identifier: Apache-2.0
"""Who is who? The one room that knows every concrete class: settings in, applications and a worker out.

Words: *rooms* (what a process holds once, ``rooms.py``). May use: everything below. Must never: decide
anything; a choice that depends on a request belongs to a door or to the road.
"""
