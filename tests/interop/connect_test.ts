// `connectWebSocket` at servers that are none of ours: aioquic, node:http2, npm's ws and Python's
// websockets, by the version that is named and by "auto".
import { type ConnectOptions, connectWebSocket, UpgradeRefused } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { type Asked, NOTHING, type Pair, type ServerPeer, toHeaders } from "./ends.ts";
import { libraryTests } from "./library_flows.ts";
import { peerTests } from "./peers.ts";
import { PythonServer } from "./python_websockets.ts";
import { wsHttp2Server, wsServer } from "./ws_peers.ts";

interface Row {
  name: string;
  http: "1.1" | "2" | "3";
  test?: (name: string, body: (where: string) => Promise<void>) => void;
  listen: (secure: boolean, where: string) => Promise<ServerPeer>;
  /** Over TLS, in clear text. */
  secure: readonly boolean[];
  /** Whether "auto" goes by this version, with what it learned from a first socket. */
  auto: readonly boolean[];
}

const plainTest = (name: string, body: (where: string) => Promise<void>) =>
  Deno.test(name, () => body(""));
const test = peerTests("H3WS_PYTHON");
const python = (secure: boolean, where: string) => PythonServer.start(where, secure);
const BOTH = [true, false];

const ROWS: readonly Row[] = [
  {
    ...{ name: "aioquic and websockets", http: "3", test, listen: python },
    secure: [true],
    auto: [true],
  },
  { name: "node:http2 and ws", http: "2", listen: wsHttp2Server, secure: BOTH, auto: [true] },
  { name: "npm:ws", http: "1.1", listen: wsServer, secure: BOTH, auto: BOTH },
  { ...{ name: "websockets", http: "1.1", test, listen: python }, secure: BOTH, auto: [false] },
];

type Options = ConnectOptions & { connections: Connections };

async function openAt(peer: ServerPeer, asked: Asked, options: Options): Promise<Pair> {
  const { path, protocols, deflate, headers } = asked;
  const pings: string[] = [];
  const pongs: string[] = [];
  const [ours, theirs] = await Promise.all([
    connectWebSocket(peer.origin + path, {
      ...{ ...options, protocols, headers, deflate: deflate && (options.deflate ?? true) },
      onPing: (payload) => pings.push(new TextDecoder().decode(payload)),
      onPong: (payload) => pongs.push(new TextDecoder().decode(payload)),
    }),
    peer.accept(),
  ]);
  return {
    ...{ ours, theirs, pings, pongs },
    asked: { path: theirs.path, headers: theirs.headers },
    answered: toHeaders(ours.fields),
  };
}

async function refusedAt(peer: ServerPeer, options: Options) {
  try {
    await connectWebSocket(`${peer.origin}/refused`, options);
  } catch (error) {
    if (!(error instanceof UpgradeRefused)) throw error;
    return { status: error.status, body: new TextDecoder().decode(error.body) };
  }
  throw new Error("It was opened");
}

function rowTests({ name, http, test = plainTest, listen }: Row, secure: boolean, auto: boolean) {
  const httpVersion = auto ? "auto" : http;
  const where = `${name}${secure ? "" : " in clear text"}`;
  libraryTests({
    ...{ name: `connectWebSocket at ${where}, HTTP/${http}${auto ? ' by "auto"' : ""}`, test },
    async run(where, deflate, body) {
      const { caPem } = await testCertificates();
      await using peer = await listen(secure, where);
      using connections = new Connections({ idleTimeoutMs: 1, idleQuicTimeoutMs: 60_000 });
      const options: Options = { httpVersion, connections, caCerts: [caPem] };
      if (auto) await learn(peer, options);
      const before = peer.connections();
      await body({
        ...{ ours: "client", http },
        open: (asked = {}) => openAt(peer, { ...NOTHING, ...asked }, { ...options, deflate }),
        refused: () => refusedAt(peer, options),
        connections: () => peer.connections() - before,
        leave: () => peer.leave(),
      });
    },
  });
}

/** What a first socket tells "auto": ALPN, SETTINGS, Alt-Svc. */
async function learn(peer: ServerPeer, options: Options): Promise<void> {
  const { ours } = await openAt(peer, NOTHING, options);
  await ours.close();
  await until("the end of the first connection", () => options.connections.size === 0);
}

for (const row of ROWS) {
  for (const secure of row.secure) rowTests(row, secure, false);
  for (const secure of row.auto) rowTests(row, secure, true);
}
