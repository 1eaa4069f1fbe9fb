// SPDX-License-Identifier: Apache-2.0
// As the SPICE client finds its WebSocket: the token goes into a cookie, the path is always the same.
const query = new URLSearchParams(window.location.search);
const scheme = window.location.protocol === "https:" ? "wss" : "ws";
document.cookie = `token=${query.get("token")}; path=/`;
const socket = new WebSocket(`${scheme}://${window.location.host}/${query.get("path") || "websockify"}`, ["binary"]);
socket.onopen = () => {
    document.getElementById("said").textContent = "open";
};
