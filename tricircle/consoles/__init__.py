# SPDX-License-Identifier: Apache-2.0
"""How does a user who was given a console come to it? Pages and WebSockets, carried to the pod that shows it."""
