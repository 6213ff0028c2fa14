import { type Figure, figuresOf } from "./bench_charts.ts";
import { bytes, time, whole } from "./bench_format.ts";
import { escape } from "./bench_svg.ts";
import { sessionsText, timeRows } from "./bench_text.ts";
import type { LoadReport } from "./load.ts";
import { VERSION } from "./version.ts";

/** Nothing is loaded from anywhere, and nothing runs: the page is what it is. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE = `
:root { color-scheme: light dark; --paper: #fcfcfb; --card: #ffffff; --ink: #1a1a19;
  --soft: #5f5e5a; --rule: #e3e2dd; --c1: #2a78d6; --c2: #128a5f; --c3: #b87700; --c4: #d03b3b; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #161615; --card: #1f1f1e; --ink: #f1f0ec; --soft: #a9a8a2; --rule: #383835;
    --c1: #5598e7; --c2: #2bb884; --c3: #dd9a1c; --c4: #ec6a69; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1000px; padding: 24px 16px 48px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 2px; }
p { margin: 2px 0 8px; color: var(--soft); }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
  padding: 16px; margin: 16px 0; overflow-x: auto; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px;
  margin: 16px 0; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
  padding: 12px 16px; }
.tile b { display: block; font-size: 22px; font-weight: 600; }
.tile span { color: var(--soft); font-size: 13px; }
.bad b { color: var(--c4); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 4px 8px; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
th { color: var(--soft); font-weight: 500; font-size: 13px; }
th:first-child, td:first-child, .words { text-align: left; }
.words { white-space: normal; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.grid { stroke: var(--rule); } .axis { stroke: var(--soft); }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; }
.strip { fill: transparent; } .strip:hover { fill: var(--soft); fill-opacity: .12; }
.c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); }
.c4 { stroke: var(--c4); }
.c1-fill { fill: var(--c1); } .c2-fill { fill: var(--c2); } .c3-fill { fill: var(--c3); }
.c4-fill { fill: var(--c4); }
.legend { display: flex; gap: 16px; font-size: 13px; color: var(--soft); margin: 0 0 4px; }
.legend svg { width: 18px; height: 10px; display: inline-block; margin-right: 5px; }
`;

/** A report as one page of HTML, which needs nothing else: no script, no network. */
export function reportPage(report: LoadReport): string {
  const { url, http, startedAt } = report;
  const title = `${url} over HTTP/${http}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="referrer" content="no-referrer">
<title>h3ws bench: ${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escape(title)}</h1>
<p>h3ws ${escape(VERSION)} bench, begun ${escape(startedAt)}${
    report.stoppedEarly ? ", ended early" : ""
  }. ${escape(correctionText(report))}</p>
</header>
<main>
${tiles(report)}
${figuresOf(report).map(figureHtml).join("\n")}
${timesSection(report)}
${errorsSection(report)}
${factsSection(report)}
</main>
</body>
</html>
`;
}

function correctionText({ correction }: LoadReport): string {
  switch (correction) {
    case "schedule":
      return "Open model: latency counts from when a message was due by a schedule that was fixed " +
        "beforehand, so what waited behind a slow answer is in it.";
    case "expected-interval":
      return "Closed model: latency is corrected for the messages that slow echoes held back.";
    case "none":
      return "Closed model: each message waits for the echo before it, so latency does not tell " +
        "of those that a slow echo held back.";
    default:
      return correction satisfies never;
  }
}

function tiles(report: LoadReport): string {
  const { latencyUs: { p50, p99, max }, errors, sockets } = report;
  const rows: [value: string, label: string, kind?: string][] = [
    [`${whole(report.roundTripsPerSecond)}/s`, "round trips"],
    [time(p50), "latency p50"],
    [time(p99), "latency p99"],
    [time(max), "latency max"],
    [whole(sockets), "WebSockets"],
    [whole(errors), "errors", errors > 0 ? " bad" : ""],
  ];
  const html = rows.map(([value, label, kind = ""]) =>
    `<div class="tile${kind}"><b>${escape(value)}</b><span>${escape(label)}</span></div>`
  );
  return `<div class="tiles">${html.join("")}</div>`;
}

function figureHtml({ title, note, legend, svg }: Figure): string {
  const keys = legend.map(([colour, label]) =>
    `<span><svg viewBox="0 0 18 10" aria-hidden="true"><line class="line ${colour}" x1="1" x2="17" ` +
    `y1="5" y2="5"/></svg>${escape(label)}</span>`
  );
  return `<section><h2>${escape(title)}</h2><p>${svg === null ? "None." : escape(note)}</p>` +
    (svg === null || keys.length === 0 ? "" : `<div class="legend">${keys.join("")}</div>`) +
    `${svg ?? ""}</section>`;
}

/** A table; its first column is of words, and its last too where `isTold`. */
function table(head: string[], rows: string[][], isTold = false): string {
  const cell = (tag: string, text: string, i: number) => {
    const words = i === 0 || (isTold && i === head.length - 1);
    return `<${tag}${words ? ' class="words"' : ""}>${escape(text)}</${tag}>`;
  };
  const row = (tag: string, cells: string[]) =>
    `<tr>${cells.map((text, i) => cell(tag, text, i)).join("")}</tr>`;
  return `<table><thead>${row("th", head)}</thead><tbody>` +
    `${rows.map((cells) => row("td", cells)).join("")}</tbody></table>`;
}

function section(title: string, body: string): string {
  return `<section><h2>${escape(title)}</h2>${body}</section>`;
}

function timesSection(report: LoadReport): string {
  const head = ["", "count", "min", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max", ""];
  const rows = timeRows(report).map(({ label, times, meaning }) => {
    const { count, min, mean, p50, p90, p99, p999, p9999, max } = times;
    return [
      label,
      whole(count),
      ...[min, mean, p50, p90, p99, p999, p9999, max].map(time),
      meaning,
    ];
  });
  return section("Times", table(head, rows, true));
}

function errorsSection({ errors, errorTexts, closeCodes }: LoadReport): string {
  if (errors === 0) return section("Errors", "<p>None.</p>");
  const texts = Object.entries(errorTexts).map(([text, times]) => [text, whole(times)]);
  const codes = Object.entries(closeCodes).map(([code, times]) => [code, whole(times)]);
  return section(
    "Errors",
    table(["what", "times"], texts) +
      (codes.length === 0 ? "" : table(["close code", "times"], codes)),
  );
}

function factsSection(report: LoadReport): string {
  const { sizeBytes, maxSizeBytes, messages } = report;
  const facts: [string, string][] = [
    ["URL", report.url],
    ["HTTP version", report.http],
    ["model", report.model],
    ["connections", whole(report.connections)],
    ["measured", `${report.seconds.toFixed(2)} s`],
    ["payload", sizeBytes === maxSizeBytes ? bytes(sizeBytes) : sizesText(report)],
    ["kind", report.text ? "text" : "binary"],
    ["permessage-deflate", report.deflated > 0 ? `on ${whole(report.deflated)} sockets` : "no"],
    ...(messages.due === null ? [] : [["messages due", whole(messages.due)] as [string, string]]),
    ["messages sent", whole(messages.sent)],
    ["echoes", whole(messages.received)],
    ["without an echo", whole(messages.unanswered)],
    ["bytes sent", `${bytes(report.bytesSent)}, ${bytes(report.bytesSentPerSecond)}/s`],
    ["bytes received", `${bytes(report.bytesReceived)}, ${bytes(report.bytesReceivedPerSecond)}/s`],
    [
      "sessions",
      sessionsText(report),
    ],
  ];
  return section("The load", table(["", ""], facts, true));
}

function sizesText({ sizeBytes, maxSizeBytes }: LoadReport): string {
  return `${bytes(sizeBytes)} to ${bytes(maxSizeBytes)}`;
}
