import { bytes, counted, time, whole } from "./bench_format.ts";
import type { LoadReport } from "./load.ts";
import type { Times } from "./load_times.ts";

const LABEL = 13;

/** What a load did, as a table for people. */
export function reportText(report: LoadReport): string {
  const lines = [
    headline(report),
    row("round trips", `${whole(report.roundTrips)}, ${whole(report.roundTripsPerSecond)}/s`),
    row("messages", messagesText(report)),
    row(
      "bytes",
      `${bytes(report.bytesSentPerSecond)}/s out, ${bytes(report.bytesReceivedPerSecond)}/s in`,
    ),
    row("sessions", sessionsText(report)),
    "",
    ...timesTable(report),
    "",
    row("errors", whole(report.errors)),
    ...Object.entries(report.errorTexts).map(([text, times]) => `  ${times} × ${text}`),
    ...closeCodesOf(report),
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

function headline({ url, http, sockets, connections, seconds, ...rest }: LoadReport): string {
  const { sizeBytes, maxSizeBytes, text, deflated, stoppedEarly } = rest;
  const sizes = sizeBytes === maxSizeBytes ? `${sizeBytes}` : `${sizeBytes} to ${maxSizeBytes}`;
  const shared = http === "1.1" ? "" : ` on ${counted(connections, "connection")}`;
  const deflate = deflated === 0 ? "" : ", permessage-deflate";
  return `${url} over HTTP/${http}: ${counted(sockets, "socket")}${shared}, ${sizes} bytes of ` +
    `${text ? "text" : "binary"}${deflate}, ${seconds.toFixed(1)} s` +
    (stoppedEarly ? ", ended early" : "");
}

function row(label: string, text: string): string {
  return label.padEnd(LABEL) + text;
}

function messagesText({ messages: { sent, unanswered, due } }: LoadReport): string {
  const parts = due === null ? [] : [`${whole(due)} due`];
  parts.push(`${whole(sent)} sent`);
  if (unanswered > 0) parts.push(`${whole(unanswered)} without an echo`);
  return parts.join(", ");
}

/** How many sessions there were, how they ended, and how many came in a second for others. */
export function sessionsText(
  { sessions: { opened, closed, lost, failed }, openedAnewPerSecond: anew }: LoadReport,
): string {
  const rate = anew === 0 ? "" : `; ${anew < 10 ? anew.toFixed(1) : whole(anew)} opened anew/s`;
  return `${whole(opened)} opened, ${whole(closed)} closed, ${whole(lost)} lost, ` +
    `${whole(failed)} failed${rate}`;
}

const COLUMNS = [
  ...[["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p99.9", "p999"], ["p99.99", "p9999"]],
  ["max", "max"],
] as const;

/** The rows of times, for text and for the page. */
export function timeRows(report: LoadReport): { label: string; times: Times; meaning: string }[] {
  const { model, correction, messages: { received, unanswered } } = report;
  const of = unanswered === 0 ? "" : `, of the ${whole(received)} that have an echo`;
  const rows = [
    { label: "latency", times: report.latencyUs, meaning: MEANING[correction] + of },
    { label: "service", times: report.serviceUs, meaning: `from when a message was sent${of}` },
    { label: "ping", times: report.pingUs, meaning: "from a Ping to its Pong" },
    { label: "connect", times: report.connectUs, meaning: "TCP and TLS, or QUIC, to SETTINGS" },
    { label: "handshake", times: report.handshakeUs, meaning: "the request for a WebSocket" },
  ];
  const isSame = model === "closed" && correction === "none";
  return rows.filter(({ label, times }) =>
    label === "service" ? !isSame : label !== "ping" || times.count > 0
  );
}

const MEANING: Readonly<Record<LoadReport["correction"], string>> = {
  schedule: "from when a message was due",
  "expected-interval": "corrected for what slow echoes held back",
  none: "from when a message was sent; what a slow echo held back is not in it",
};

function timesTable(report: LoadReport): string[] {
  const rows = timeRows(report).map(({ label, times, meaning }) => [
    label,
    ...COLUMNS.map(([, key]) => times.count === 0 ? "-" : time(times[key])),
    meaning,
  ]);
  const head = ["", ...COLUMNS.map(([title]) => title), ""];
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i].length)));
  return [head, ...rows].map((cells) =>
    cells.map((cell, i) => {
      if (i === 0) return cell.padEnd(LABEL - 2);
      return i === cells.length - 1 ? cell : cell.padStart(widths[i]);
    }).join("  ")
  );
}

function closeCodesOf({ closeCodes }: LoadReport): string[] {
  const codes = Object.entries(closeCodes);
  if (codes.length === 0) return [];
  return [row("close codes", codes.map(([code, times]) => `${code}: ${times}`).join(", "))];
}
