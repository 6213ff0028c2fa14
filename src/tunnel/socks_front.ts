import type { Accepted } from "../net/accepted.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import { unread } from "../net/unread.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import { encodeAuthStatus } from "../protocol/socks5/auth.ts";
import { Socks5Command, Socks5Error, Socks5Method, Socks5Reply } from "../protocol/socks5/codes.ts";
import { encodeMethod } from "../protocol/socks5/methods.ts";
import { encodeReply } from "../protocol/socks5/request.ts";
import { Socks5Server, type Socks5ServerEvent } from "../protocol/socks5/server.ts";
import { type ClientGate, ipOf, type LetIn } from "./client_gate.ts";
import type { Gateway, GatewayConnection } from "./gateway.ts";
import { TunnelRefused } from "./target.ts";

export interface SocksFrontOptions {
  gateway: Gateway;
  gate: ClientGate;
  sweeper: Sweeper;
  /** How long a client may take up to its request. */
  handshakeTimeoutMs: number;
  onBug: (where: string, error: unknown) => void;
}

/** RFC 1928: clients that ask for connections by SOCKS5. */
export class SocksFront {
  readonly #options: SocksFrontOptions;

  constructor(options: SocksFrontOptions) {
    this.#options = options;
  }

  /** Serves one client to its end. Never rejects. */
  async take({ stream, remote }: Accepted): Promise<void> {
    const { onBug } = this.#options;
    try {
      await new SocksSession(stream, remote, this.#options).run();
    } catch (error) {
      if (!(error instanceof NetError)) onBug("socks5", error);
    } finally {
      stream.abort();
    }
  }
}

class SocksSession {
  readonly #stream: ByteStream;
  readonly #remote: string;
  readonly #options: SocksFrontOptions;
  readonly #parser: Socks5Server;
  #letIn: LetIn | null;

  constructor(stream: ByteStream, remote: string, options: SocksFrontOptions) {
    this.#stream = stream;
    this.#remote = remote;
    this.#options = options;
    const { gate } = options;
    const { USERNAME_PASSWORD, NO_AUTHENTICATION_REQUIRED } = Socks5Method;
    this.#parser = new Socks5Server([
      gate.asks ? USERNAME_PASSWORD : NO_AUTHENTICATION_REQUIRED,
    ]);
    this.#letIn = gate.asks ? null : gate.anybody();
  }

  async run(): Promise<void> {
    const { sweeper, handshakeTimeoutMs } = this.#options;
    const deadline = new Deadline(sweeper, handshakeTimeoutMs, () => {
      this.#stream.abort("no SOCKS request in time");
    });
    let request: Extract<Socks5ServerEvent, { type: "request" }> | null;
    try {
      request = await this.#request();
    } catch (error) {
      if (!(error instanceof Socks5Error)) throw error;
      return await this.#end(error.answer);
    } finally {
      deadline.clear();
    }
    if (request !== null) await this.#serve(request);
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
        this.#parser.push(chunk);
      } else if (event.type === "methods") {
        await this.#stream.write(encodeMethod(event.method));
      } else if (event.type === "auth") {
        const isLetIn = await this.#authenticate(event.username, event.password);
        await this.#stream.write(encodeAuthStatus(isLetIn));
        // RFC 1929 §2: a failure MUST close the connection.
        if (!isLetIn) return await this.#end(null).then(() => null);
      } else {
        return event;
      }
    }
  }

  async #authenticate(username: string, password: string): Promise<boolean> {
    const ip = ipOf(this.#remote);
    this.#letIn = await this.#options.gate.enter("socks5", {
      username,
      password,
      ip,
      remote: this.#remote,
    });
    return this.#letIn !== null;
  }

  async #serve(request: Extract<Socks5ServerEvent, { type: "request" }>): Promise<void> {
    const letIn = this.#letIn!;
    if (request.command !== Socks5Command.CONNECT) {
      return await this.#end(encodeReply(Socks5Reply.COMMAND_NOT_SUPPORTED));
    }
    const { host, port } = request;
    // What came behind the request is the target's.
    const client = unread(this.#stream, this.#parser.rest().slice());
    let connection: GatewayConnection;
    try {
      connection = await this.#options.gateway.open({
        front: "socks5",
        client: this.#remote,
        ...letIn,
        target: { protocol: "tcp", host, port },
      });
    } catch (error) {
      if (!(error instanceof TunnelRefused)) throw error;
      return await this.#end(encodeReply(replyOf(error)));
    }
    try {
      await this.#stream.write(encodeReply(Socks5Reply.SUCCEEDED));
    } catch {
      // The relay finds the same, and tells of it.
    }
    await this.#options.gateway.carry(connection, client);
  }

  async #end(answer: Uint8Array | null): Promise<void> {
    if (answer !== null) await this.#stream.write(answer).catch(() => {});
    await this.#stream.closeWrite().catch(() => {});
  }
}

/** RFC 1928 §6. */
function replyOf({ code, message }: TunnelRefused): Socks5Reply {
  if (code === TunnelCode.FORBIDDEN_HOST) return Socks5Reply.NOT_ALLOWED;
  switch (message.slice(0, message.indexOf(":"))) {
    case "refused":
      return Socks5Reply.CONNECTION_REFUSED;
    case "unreachable":
      return Socks5Reply.NETWORK_UNREACHABLE;
    case "unresolved":
    case "timeout":
      return Socks5Reply.HOST_UNREACHABLE;
    default:
      return Socks5Reply.GENERAL_FAILURE;
  }
}
