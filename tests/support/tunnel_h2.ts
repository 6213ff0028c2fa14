import * as http2 from "node:http2";
import type { Field } from "../../src/protocol/wire/field.ts";
import { Inbox, latin1 } from "./inbox.ts";
import type { ClientTunnel, TunnelClient, TunnelRequest } from "./tunnel_client.ts";
import { chunksOf, endOf, writeTo } from "./tunnel_socket.ts";
import { within } from "./within.ts";

/** RFC 8441 on `node:http2`: every tunnel is a stream of one connection. */
export class H2TunnelClient implements TunnelClient {
  readonly #session: http2.ClientHttp2Session;
  readonly #scheme: string;
  readonly #closed: Promise<void>;

  private constructor(session: http2.ClientHttp2Session, scheme: string) {
    this.#session = session;
    this.#scheme = scheme;
    this.#closed = new Promise((resolve) => session.once("close", () => resolve()));
    session.on("error", () => {});
  }

  /** In clear text without `caPem`. RFC 8441 §3: resolves once the server says that it may. */
  static async connect(options: { port: number; caPem?: string }): Promise<H2TunnelClient> {
    const { port, caPem } = options;
    const [scheme, host] = caPem === undefined ? ["http", "127.0.0.1"] : ["https", "localhost"];
    const session = http2.connect(`${scheme}://${host}:${port}`, { ca: caPem });
    const client = new H2TunnelClient(session, scheme);
    const settings = await within(
      "the server's SETTINGS",
      new Promise<http2.Settings>((resolve) => session.once("remoteSettings", resolve)),
    );
    if (!settings.enableConnectProtocol) throw new Error("No SETTINGS_ENABLE_CONNECT_PROTOCOL");
    return client;
  }

  async open({ protocol, path, fields = [], first }: TunnelRequest): Promise<ClientTunnel> {
    const section: http2.OutgoingHttpHeaders = {
      ...{ ":method": "CONNECT", ":protocol": protocol, ":scheme": this.#scheme },
      ...{ ":authority": "localhost", ":path": path },
      ...(protocol === "websocket" ? { "sec-websocket-version": "13" } : {}),
      ...Object.fromEntries(fields),
    };
    const stream = this.#session.request(section, { endStream: false });
    stream.on("error", () => {});
    if (first !== undefined) stream.write(first);
    const head = await within(
      "an answer",
      new Promise<http2.IncomingHttpHeaders>((resolve, reject) => {
        stream.once("response", resolve);
        stream.once("close", () => reject(new Error(`Reset with ${stream.rstCode}, no answer`)));
      }),
    );
    // RFC 9113 §8.1: NO_ERROR behind a whole answer takes nothing from it.
    const inbox = new Inbox("from the proxy", chunksOf(stream, () => stream.rstCode !== 0));
    return {
      status: Number(head[":status"]),
      fields: fieldsOf(head),
      async body() {
        const bytes = await inbox.rest();
        if (inbox.ending !== "fin") throw new Error(`The body ended with ${stream.rstCode}`);
        return latin1(bytes);
      },
      inbox,
      write: (bytes) => writeTo(stream, bytes),
      fin: () => endOf(stream),
      reset: () => stream.close(http2.constants.NGHTTP2_CANCEL),
    };
  }

  async close(): Promise<void> {
    this.#session.destroy();
    await within("the end of a client's connection", this.#closed);
  }
}

function fieldsOf(head: http2.IncomingHttpHeaders): Field[] {
  return Object.entries(head).flatMap(([name, value]) =>
    name.startsWith(":") ? [] : [value ?? []].flat().map((one): Field => [name, String(one)])
  );
}
