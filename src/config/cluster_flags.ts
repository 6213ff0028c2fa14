import { ValueError } from "./error.ts";
import { envFlag } from "./flags.ts";
import { type Kind, optionalFile } from "./kinds.ts";
import { list } from "./tunnel_kinds.ts";

const ALLOWED =
  "nats://host:port or tls://host:port, with user:password@ or token@ before the host";

/** Where a server of NATS is. It may have a password in it, which is not told. */
const natsUrl: Kind<URL> = {
  placeholder: "url",
  allowed: ALLOWED,
  takesEmpty: false,
  parse(text) {
    const url = URL.parse(text);
    const isOne = url !== null && /^(nats|tls):$/.test(url.protocol) && url.hostname !== "" &&
      /^\/?$/.test(url.pathname) && url.search === "" && url.hash === "";
    if (isOne) return url;
    throw new ValueError("is no server of NATS", ALLOWED, text.includes("@") ? null : text);
  },
};

/** How a gateway finds others. */
export const clusterFlags = {
  clusterUrls: envFlag({
    name: "cluster",
    kind: list(natsUrl),
    default: "",
    meaning: "a server of NATS, or several of one NATS, where gateways find each other: what a " +
      "gateway has no agent for goes through one that has; whoever may publish there may use the " +
      "agents of all",
  }),
  clusterCredsFile: envFlag({
    name: "cluster-creds",
    kind: optionalFile,
    default: "",
    meaning: "a file of credentials for it, as nsc writes them, in place of user and password",
  }),
  clusterCaFile: envFlag({
    name: "cluster-ca",
    kind: optionalFile,
    default: "",
    meaning: "certificates in PEM that its own must be signed by; default the public ones",
  }),
};
