/** Everything that reads a peer's bytes. A new parser, decoder or encoder is entered here. */
import type { Codec, Decoder, Target } from "./driver.ts";
import * as dns from "./targets/dns.ts";
import * as hpack from "./targets/hpack.ts";
import * as http1 from "./targets/http1.ts";
import * as http2 from "./targets/http2.ts";
import * as http2Values from "./targets/http2_values.ts";
import * as http3 from "./targets/http3.ts";
import * as http3Values from "./targets/http3_values.ts";
import * as proxyProtocol from "./targets/proxy_protocol.ts";
import * as proxyRequest from "./targets/proxy_request.ts";
import * as qpack from "./targets/qpack.ts";
import * as socks5 from "./targets/socks5.ts";
import * as tunnelJson from "./targets/tunnel_json.ts";
import * as tunnelFrames from "./targets/tunnel_frames.ts";
import * as websocket from "./targets/websocket.ts";
import * as websocketValues from "./targets/websocket_values.ts";
import * as wire from "./targets/wire.ts";

export const targets: readonly Target[] = [
  ...http1.targets,
  ...proxyProtocol.targets,
  ...websocket.targets,
  ...http2.targets,
  ...qpack.targets,
  ...http3.targets,
  ...socks5.targets,
  ...tunnelFrames.targets,
];

/** Pairs that must give the same for the same input. */
export const twins: readonly (readonly [Target, Target])[] = [
  ...http3.twins,
];

export const decoders: readonly Decoder[] = [
  ...wire.decoders,
  ...dns.decoders,
  ...proxyRequest.decoders,
  ...websocketValues.decoders,
  ...hpack.decoders,
  ...http2Values.decoders,
  ...qpack.decoders,
  ...http3Values.decoders,
  ...socks5.decoders,
  ...tunnelJson.decoders,
  ...tunnelFrames.decoders,
];

export const codecs: readonly Codec[] = [
  ...wire.codecs,
  ...dns.codecs,
  ...http1.codecs,
  ...proxyProtocol.codecs,
  ...proxyRequest.codecs,
  ...websocketValues.codecs,
  ...hpack.codecs,
  ...http2Values.codecs,
  ...qpack.codecs,
  ...http3Values.codecs,
  ...socks5.codecs,
  ...tunnelJson.codecs,
  ...tunnelFrames.codecs,
];
