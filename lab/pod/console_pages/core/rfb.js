// SPDX-License-Identifier: Apache-2.0
// As noVNC finds its WebSocket: same host and port, path and token from the page's own query.
const query = new URLSearchParams(window.location.search);
const scheme = window.location.protocol === "https:" ? "wss" : "ws";
const path = query.get("path") || "websockify";
const socket = new WebSocket(`${scheme}://${window.location.host}/${path}`, ["binary"]);
socket.binaryType = "arraybuffer";
socket.onmessage = (event) => {
    document.getElementById("said").textContent += new TextDecoder("latin1").decode(event.data);
};
