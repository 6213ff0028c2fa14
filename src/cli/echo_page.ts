import { KNOB_ROWS } from "./echo_knobs.ts";

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " +
  "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'";

/** Ordinary requests: the page at `/` tells the knobs, and a socket can be tried from there. */
export function echoPage(request: Request): Response {
  if (new URL(request.url).pathname !== "/") {
    return text(404, "This is a WebSocket echo server; GET / tells its knobs.\n");
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    return text(405, "GET tells the knobs; a WebSocket is echoed.\n", { allow: "GET, HEAD" });
  }
  return new Response(PAGE, {
    headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": POLICY },
  });
}

function text(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(body, {
    status,
    headers: { ...headers, "content-type": "text/plain; charset=utf-8" },
  });
}

const ROWS = KNOB_ROWS.map(({ example, meaning }) =>
  `<tr><td><code>${example}</code><td>${meaning}\n`
).join("");

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>h3ws echo</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 3rem auto; padding: 0 1rem }
  pre { background: #f4f4f4; padding: 1rem; min-height: 8rem; overflow: auto }
  td { padding: 0 1rem .3rem 0; vertical-align: top }
  input { font: inherit; width: 24rem; max-width: 100% }
</style>
<h1>h3ws echo</h1>
<p>A WebSocket to any path here gets back what it sends. The query turns these knobs, with
<code>&amp;</code> between them:</p>
<table>
${ROWS}</table>
<p>For example <code>?size=64KiB&amp;delay=1s</code>. A knob that is not known, or wrong, is
refused with 400.</p>
<form><input id="query" value="?delay=250ms" aria-label="query"> <button>Open</button></form>
<form><input id="text" value="hello" aria-label="message"> <button>Send</button></form>
<pre id="log"></pre>
<script>
  const [opening, sending] = document.forms;
  const log = (line) => { document.getElementById("log").textContent += line + "\\n"; };
  let socket = null;
  opening.onsubmit = (event) => {
    event.preventDefault();
    socket?.close();
    const url = location.origin.replace(/^http/, "ws") + "/" + opening[0].value;
    const mine = socket = new WebSocket(url);
    mine.onopen = () => log("open: " + url);
    mine.onmessage = ({ data }) =>
      log(typeof data === "string" ? "text: " + data.slice(0, 200) : "binary: " + data.size + " bytes");
    mine.onclose = ({ code, reason }) => log("closed with " + code + " " + reason);
  };
  sending.onsubmit = (event) => {
    event.preventDefault();
    if (socket?.readyState === 1) socket.send(sending[0].value);
    else log("open a socket first");
  };
</script>
</html>
`;
