import { H2Client } from "../client/h2_client.ts";
import { dial } from "../net/dial.ts";
import { NetError } from "../net/error.ts";
import { encodeRequestHead } from "../protocol/http1/encode.ts";
import { ResponseHeadParser } from "../protocol/http1/head.ts";
import { type AltService, parseAltSvc } from "../protocol/wire/alt_svc.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { type Field, getFields } from "../protocol/wire/field.ts";
import type { Context, DoctorProbe } from "./doctor_context.ts";
import { ok, type Outcome, skip, warn } from "./doctor_finding.ts";
import { quicTo } from "./doctor_quic.ts";

const MAX_HEADER_BYTES = 64 * 1024;
const H3 = "h3";

const altSvc: DoctorProbe = {
  id: "alt_svc",
  title: "Alt-Svc",
  needs: ["certificate"],
  behind: ["alpn", "quic", "dns_https", "ws_h1", "ws_h2"],
  // For the page, and for the place that is told of.
  timeoutMs: ({ config }) => 3 * config.timeoutMs,
  async run(context, signal) {
    const { target, known } = context;
    if (!target.secure) return skip("ws:// has no HTTP/3");
    const answers = [...known.answers.values()].map(({ fields }) => fields);
    let values = answers.flatMap((fields) => getFields(fields, "alt-svc"));
    // A page tells of it where a handshake does not.
    if (values.length === 0) values = getFields(await pageOrNothing(context, signal), "alt-svc");
    if (values.length === 0) return notTold(context);
    const services = parseAltSvc(values[0]);
    if (services === null) return warn(`"${values[0]}" can't be read`, "Have the server mend it.");
    const h3 = services.find(({ protocol }) => protocol === H3);
    if (h3 === undefined) return notTold(context, values[0]);
    return await told(values[0], h3, context, signal);
  },
};

function notTold({ known }: Context, value = "none"): Outcome {
  if (!known.quicServes || known.recordAlpn.includes(H3)) return ok(value);
  return warn(
    `${value}: nothing tells browsers of HTTP/3`,
    `Have the server send Alt-Svc: h3=":port" with its answers, as browsers do not try it unasked.`,
  );
}

async function told(
  value: string,
  { host, port }: AltService,
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const { target, known, config } = context;
  const isHere = port === target.port && (host === "" || host === target.hostname);
  if (isHere && known.quicServes) return ok(value);
  const advice =
    "Let UDP through to that port, or have the server not announce it: browsers that " +
    "try it lose time.";
  if (isHere) return warn(`${value}, but QUIC does not work there`, advice);
  const own = AbortSignal.any([signal, AbortSignal.timeout(config.timeoutMs)]);
  try {
    const connection = await quicTo(context, { hostname: host || target.hostname, port }, own);
    connection.close(0);
    await connection.closed;
    return ok(`${value}, which answers`);
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    const why = own.aborted ? "no answer" : error.message;
    return warn(`${value}, where QUIC does not work: ${why}`, advice);
  }
}

/** Nothing depends on a page: where there is none, nothing is told. */
async function pageOrNothing(context: Context, signal: AbortSignal): Promise<readonly Field[]> {
  const own = AbortSignal.any([signal, AbortSignal.timeout(context.config.timeoutMs)]);
  try {
    return await pageFields(context, own);
  } catch (error) {
    if (error instanceof NetError || error instanceof PeerError) return [];
    throw error;
  }
}

/** The fields of what "/" answers, without any field of the user's. */
async function pageFields(context: Context, signal: AbortSignal): Promise<readonly Field[]> {
  const { target: { hostname, port, authority }, config, caCerts, known } = context;
  const insecure = config.noCheck;
  if (known.alpn.h2) {
    const client = await H2Client.connect({ hostname, port, caCerts, insecure, signal });
    try {
      const ask = {
        method: "GET",
        scheme: "https",
        authority,
        path: "/",
        protocol: null,
        fields: [],
      };
      return (await client.fetch(ask, { signal })).fields;
    } finally {
      client.close();
      await client.closed;
    }
  }
  const tls = { serverName: hostname, caCerts, alpnProtocols: ["http/1.1"], insecure };
  const stream = await dial({ hostname, port, tls }, signal);
  signal.addEventListener("abort", () => stream.abort(), { once: true });
  try {
    const fields: Field[] = [["host", authority], ["connection", "close"]];
    await stream.write(encodeRequestHead({ method: "GET", target: "/", fields }));
    const parser = new ResponseHeadParser({ limit: MAX_HEADER_BYTES });
    for (;;) {
      const chunk = await stream.read();
      if (chunk === null) throw new NetError("lost", "no answer came before");
      parser.push(chunk);
      const head = parser.next();
      if (head !== null) return head.fields;
    }
  } finally {
    stream.abort();
  }
}

/** What is announced of HTTP/3. */
export const altSvcProbes: readonly DoctorProbe[] = [altSvc];
