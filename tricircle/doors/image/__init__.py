# SPDX-License-Identifier: Apache-2.0
"""How do we speak the image API? The central Glance answers all of it; pods use it directly.

Words: *image data* (what is streamed, never held). May use: ``road`` and everything below. Must never: hold image data
in memory, or show a tenant where it lies.
"""
