import type { Accepted } from "../net/accepted.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import { Deadline } from "../net/sweeper.ts";
import { unread } from "../net/unread.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import type { Socks5Address } from "../protocol/socks5/address.ts";
import { encodeAuthStatus } from "../protocol/socks5/auth.ts";
import { Socks5Command, Socks5Error, Socks5Method, Socks5Reply } from "../protocol/socks5/codes.ts";
import { encodeMethod } from "../protocol/socks5/methods.ts";
import { encodeReply } from "../protocol/socks5/request.ts";
import { Socks5Server, type Socks5ServerEvent } from "../protocol/socks5/server.ts";
import { ipOf } from "../proxy/headers.ts";
import type { ClientGate, LetIn } from "./client_gate.ts";
import { watchClient } from "./client_gone.ts";
import type { GatewayConnection } from "./gateway.ts";
import { badRequest, lastWords } from "./last_words.ts";
import { failureKind, TunnelRefused } from "./target.ts";
import { associate } from "./udp_associate.ts";
import type { UdpFlowsOptions } from "./udp_flows.ts";

/** What is said of UDP is for the datagrams of one client: its targets are flows. */
export interface SocksFrontOptions extends UdpFlowsOptions {
  gate: ClientGate;
  /** How long a client may take up to its request. */
  handshakeTimeoutMs: number;
}

/** What the methods of HTTP begin with. */
const METHOD = /^[A-Z]/;
const NO_HTTP = "this is a SOCKS5 port; --http or --mixed takes HTTP";

const SUCCEEDED = encodeReply(Socks5Reply.SUCCEEDED);

/** RFC 1928: clients that ask for connections by SOCKS5. */
export class SocksFront {
  readonly #options: SocksFrontOptions;

  constructor(options: SocksFrontOptions) {
    this.#options = options;
  }

  /** Serves one client to its end. Never rejects. */
  async take(accepted: Accepted): Promise<void> {
    const { onBug, gateway } = this.#options;
    const { stream } = accepted;
    try {
      const reached = await this.#reach(accepted);
      if (reached === null) return;
      const { connection, client } = reached;
      await gateway.carryTo(connection, () => succeeded(client));
    } catch (error) {
      if (!(error instanceof NetError)) onBug("socks5", error);
    } finally {
      stream.abort();
    }
  }

  /** Nothing of the session is kept while bytes are carried. */
  #reach(accepted: Accepted): Promise<Reached | null> {
    return new SocksSession(accepted, this.#options).run();
  }
}

/** A connection that a client asked for, and that it was not told of yet. */
interface Reached {
  readonly connection: GatewayConnection;
  readonly client: ByteStream;
}

async function succeeded(client: ByteStream): Promise<ByteStream> {
  await client.write(SUCCEEDED);
  return client;
}

class SocksSession {
  readonly #accepted: Accepted;
  #stream: ByteStream;
  readonly #options: SocksFrontOptions;
  readonly #parser: Socks5Server;
  #letIn: LetIn | null;
  /** Whether it began like a request of HTTP; `null` before it has begun. */
  #isHttp: boolean | null = null;

  constructor(accepted: Accepted, options: SocksFrontOptions) {
    this.#accepted = accepted;
    this.#stream = accepted.stream;
    this.#options = options;
    const { gate } = options;
    const { USERNAME_PASSWORD, NO_AUTHENTICATION_REQUIRED } = Socks5Method;
    this.#parser = new Socks5Server([
      gate.asks ? USERNAME_PASSWORD : NO_AUTHENTICATION_REQUIRED,
    ]);
    this.#letIn = gate.asks ? null : gate.anybody();
  }

  /** Up to the connection; `null` where it has come to its end already. */
  async run(): Promise<Reached | null> {
    const { sweeper, handshakeTimeoutMs } = this.#options;
    const deadline = new Deadline(sweeper, handshakeTimeoutMs, () => {
      this.#stream.abort("no SOCKS request in time");
    });
    let request: Extract<Socks5ServerEvent, { type: "request" }> | null;
    try {
      request = await this.#request();
    } catch (error) {
      if (!(error instanceof Socks5Error)) throw error;
      const isHttp = this.#isHttp;
      const { gate } = this.#options;
      gate.refused("socks5", this.#accepted.remote, isHttp ? NO_HTTP : error.message);
      return await this.#end(isHttp ? badRequest(NO_HTTP) : error.answer);
    } finally {
      deadline.clear();
    }
    return request === null ? null : await this.#serve(request);
  }

  /** What the client asks for; `null` where it went, or was not let in. */
  async #request() {
    for (;;) {
      const event = this.#parser.next();
      if (event === null) {
        const chunk = await this.#stream.read();
        if (chunk === null) {
          this.#parser.end();
          return null;
        }
        // What was read ahead while it was looked at who it is comes first, in one chunk.
        this.#stream = this.#accepted.stream;
        this.#isHttp ??= METHOD.test(String.fromCharCode(chunk[0]));
        this.#parser.push(chunk);
      } else if (event.type === "methods") {
        await this.#stream.write(encodeMethod(event.method));
      } else if (event.type === "auth") {
        const isLetIn = await this.#authenticate(event.username, event.password);
        await this.#stream.write(encodeAuthStatus(isLetIn));
        // RFC 1929 §2: a failure MUST close the connection.
        if (!isLetIn) return await this.#end(null);
      } else {
        return event;
      }
    }
  }

  async #authenticate(username: string, password: string): Promise<boolean> {
    const { remote } = this.#accepted;
    const who = { username, password, ip: ipOf(remote), remote };
    // Whoever has sent its request already may have ended its side behind it.
    const goneAtFin = this.#parser.buffered === 0;
    const { stream, gone } = watchClient(this.#stream, { goneAtFin });
    this.#stream = stream;
    const entered = await this.#options.gate.enter("socks5", who, gone);
    // RFC 1929 §2: its answer has no place for why not.
    if ("not" in entered) return false;
    this.#letIn = entered;
    return true;
  }

  async #serve(
    request: Extract<Socks5ServerEvent, { type: "request" }>,
  ): Promise<Reached | null> {
    switch (request.command) {
      case Socks5Command.CONNECT:
        return await this.#connect(request);
      case Socks5Command.UDP_ASSOCIATE:
        return await this.#associate();
      case Socks5Command.BIND:
        return await this.#end(encodeReply(Socks5Reply.COMMAND_NOT_SUPPORTED));
    }
  }

  async #associate(): Promise<null> {
    const client = { ...this.#accepted, stream: this.#stream, letIn: this.#letIn! };
    const relayed = await associate(client, this.#options);
    return relayed ? null : await this.#end(encodeReply(Socks5Reply.GENERAL_FAILURE));
  }

  async #connect({ host, port }: Socks5Address): Promise<Reached | null> {
    const { gateway } = this.#options;
    // What came behind the request is the target's: whoever ended its side behind that waits for an
    // answer, and who has sent nothing is gone.
    const early = this.#parser.rest().slice();
    const { stream, gone } = watchClient(this.#stream, { goneAtFin: early.length === 0 });
    const client = this.#stream = unread(stream, early);
    try {
      const connection = await gateway.open({
        ...{ front: "socks5", client: this.#accepted.remote, ...this.#letIn! },
        target: { protocol: "tcp", host, port },
      }, gone);
      return { connection, client };
    } catch (error) {
      if (!(error instanceof TunnelRefused)) throw error;
      return await this.#end(encodeReply(replyOf(error)));
    }
  }

  async #end(answer: Uint8Array | null): Promise<null> {
    await lastWords(this.#stream, answer, this.#options.sweeper);
    return null;
  }
}

/** RFC 1928 §6. */
function replyOf(refused: TunnelRefused): Socks5Reply {
  if (refused.code === TunnelCode.FORBIDDEN_HOST) return Socks5Reply.NOT_ALLOWED;
  switch (failureKind(refused)) {
    case "refused":
      return Socks5Reply.CONNECTION_REFUSED;
    case "unreachable":
      return Socks5Reply.NETWORK_UNREACHABLE;
    case "host_unreachable":
    case "unresolved":
    case "timeout":
      return Socks5Reply.HOST_UNREACHABLE;
    default:
      return Socks5Reply.GENERAL_FAILURE;
  }
}
