import { connectFields, dataFrame, RawClient } from "./raw_h3.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import type { ClientTunnel, TunnelClient, TunnelRequest } from "./tunnel_client.ts";

/** RFC 9220: every tunnel is a stream of one connection. */
export class H3TunnelClient implements TunnelClient {
  readonly #client: RawClient;

  private constructor(client: RawClient) {
    this.#client = client;
  }

  static async connect({ port, caPem }: { port: number; caPem: string }): Promise<H3TunnelClient> {
    return new H3TunnelClient(await RawClient.connect({ port, caCerts: [caPem] }));
  }

  async open({ protocol, path, fields = [], first }: TunnelRequest): Promise<ClientTunnel> {
    const handshake: Field[] = protocol === "websocket" ? [["sec-websocket-version", "13"]] : [];
    const section = connectFields({ protocol, path }, [...handshake, ...fields]);
    const stream = await this.#client.request(section, first && dataFrame(first));
    const head = await stream.response();
    return {
      status: head.status,
      fields: head.fields,
      async body() {
        const { body } = await stream.answer();
        // RFC 9114 §4.1.2: trailers with a pseudo-header field stand for a reset.
        if (stream.inbox.ending !== "fin" || stream.trailers !== null) {
          throw new Error("The body broke off");
        }
        return body;
      },
      inbox: stream.inbox,
      write: (bytes) => stream.send(bytes),
      fin: () => stream.fin(),
      reset: () => stream.abort(),
    };
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#client.quic.closed;
  }
}
