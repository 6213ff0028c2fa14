/** The page that a browser opens the demo's WebSocket from, over HTTP/3. */
export const DEMO_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>h3ws demo</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem }
  pre { background: #f4f4f4; padding: 1rem; min-height: 12rem; overflow: auto }
  input { font: inherit; width: 24rem; max-width: 100% }
</style>
<h1>h3ws demo</h1>
<p>This page came over <b id="page">?</b>; its WebSocket goes the same way, to an echo server
that speaks plain <code>ws://</code>.</p>
<form><input id="text" value="hello over HTTP/3" autocomplete="off"> <button>Send</button></form>
<pre id="log"></pre>
<script>
  const log = (line) => { document.getElementById("log").textContent += line + "\\n"; };
  document.getElementById("page").textContent =
    performance.getEntriesByType("navigation")[0].nextHopProtocol;
  const started = performance.now();
  const socket = new WebSocket("wss://" + location.host + "/ws");
  let sent = 0;
  socket.onopen = () => log("open after " + (performance.now() - started).toFixed(1) + " ms");
  socket.onmessage = ({ data }) =>
    log("echo after " + (performance.now() - sent).toFixed(1) + " ms: " + data);
  socket.onclose = ({ code, reason }) => log("closed with " + code + " " + reason);
  document.forms[0].onsubmit = (event) => {
    event.preventDefault();
    sent = performance.now();
    socket.send(document.getElementById("text").value);
  };
</script>
</html>
`;
