import * as tls from "node:tls";
import { answerAt } from "./doors.ts";
import { latin1 } from "./inbox.ts";
import { until } from "./until.ts";

/** Who asks, at which port of 127.0.0.1, and whom it trusts; all PEM. */
export interface TlsAsk {
  port: number;
  caCerts: readonly string[];
  /** The client's own certificate. */
  certPem?: string;
  keyPem?: string;
  path?: string;
}

/** The status of a GET by HTTP/1.1 over TLS; 0 where the connection ends without an answer. */
export async function statusOverTls(ask: TlsAsk): Promise<number> {
  const { port, caCerts, certPem: cert, keyPem: key, path = "/x" } = ask;
  const socket = tls.connect({
    ...{ host: "127.0.0.1", port, servername: "localhost" },
    ...{ ca: [...caCerts], cert, key, ALPNProtocols: ["http/1.1"] },
  });
  let got = "";
  let over = false;
  socket.on("error", () => {}).on("close", () => over = true);
  socket.on("data", (chunk: Uint8Array) => got += latin1(chunk));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await until("an answer", () => answerAt(got) !== null || over);
  socket.destroy();
  await until("the end of a connection", () => over);
  return answerAt(got)?.status ?? 0;
}
