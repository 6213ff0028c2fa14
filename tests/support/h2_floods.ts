// What a client of HTTP/2 may do to excess (RFC 9113 §10.5): every row is a flood of frames of one kind.
import { H2Code } from "../../src/protocol/http2/codes.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import {
  Flag,
  FrameType,
  H2_PING,
  h2Data,
  h2Frame,
  h2Get,
  h2Reset,
  h2Settings,
  h2Window,
  type RawH2,
} from "./raw_h2.ts";

export interface Flood {
  name: string;
  /** One step; `i` counts them. */
  step: (client: RawH2, i: number) => Uint8Array;
  /** What comes before it. */
  before?: (client: RawH2) => void;
}

const pseudo = h2Get("/x");
const post = h2Get("/x").map(([name, value]) =>
  [name, name === ":method" ? "POST" : value] as const
);

export const FLOODS: readonly Flood[] = [
  {
    name: "CVE-2023-44487: rapid reset",
    step: (client) => {
      const id = client.nextId();
      return concat([client.headers(id, pseudo), h2Reset(id, H2Code.CANCEL)]);
    },
  },
  {
    name: "CVE-2025-8671: streams that we are made to reset",
    step: (client) => {
      const id = client.nextId();
      return concat([client.headers(id, h2Get("/healthz"), false), h2Window(id, 0)]);
    },
  },
  {
    name: "streams that are malformed",
    step: (client) => client.headers(client.nextId(), [[":method", "GET"]]),
  },
  { name: "CVE-2019-9512: PING", step: () => H2_PING },
  { name: "CVE-2019-9515: SETTINGS", step: () => h2Settings([]) },
  { name: "WINDOW_UPDATE", step: () => h2Window(0, 1) },
  { name: "PRIORITY", step: () => h2Frame([FrameType.PRIORITY], 7, Uint8Array.of(0, 0, 0, 1, 0)) },
  { name: "unknown frames", step: () => h2Frame([0x77], 0, new Uint8Array(1)) },
  {
    name: "CVE-2019-9518: empty DATA",
    before: (client) => client.request(post, () => []),
    step: () => h2Data(1, ""),
  },
  {
    name: "CVE-2024-27316: CONTINUATION",
    before: (client) => client.write(h2Frame([FrameType.HEADERS], 1, client.block(pseudo))),
    step: () => h2Frame([FrameType.CONTINUATION], 1, Uint8Array.of(0, 1, 0x78, 1, 0x79)),
  },
  {
    name: "CONTINUATION that is empty",
    before: (client) =>
      client.write(h2Frame([FrameType.HEADERS, Flag.END_STREAM], 1, client.block(pseudo))),
    step: () => h2Frame([FrameType.CONTINUATION], 1),
  },
];

const STEPS = 40_000;
const STEPS_AT_ONCE = 500;

/** Goes on with it until the server ends the connection, or all steps are done. */
export async function flood(client: RawH2, { step, before }: Flood): Promise<void> {
  before?.(client);
  let i = 0;
  while (i < STEPS && !client.isClosed) {
    const steps = Array.from({ length: STEPS_AT_ONCE }, () => step(client, i++));
    await client.writeAll(concat(steps));
  }
}
