import type { Listed } from "./command.ts";

/** What the help tells of each command before any of them is loaded. */
export const LISTED = {
  proxy: {
    name: "proxy",
    summary:
      "take WebSockets over HTTP/3, HTTP/2 and HTTP/1.1 to a ws:// or wss:// backend (also without its name)",
    examples: [
      "h3ws proxy --cert cert.pem --key key.pem --backend ws://127.0.0.1:8080",
      "h3ws --plain-listen :8080 --requests --path '^/' --backend ws://127.0.0.1:3000",
      "h3ws proxy --config h3ws.yaml",
      "h3ws --listen :8443 --path '^/rooms/[^/]+$' --backend wss://chat.example/ws",
    ],
  },
  echo: {
    name: "echo",
    summary:
      "send back what comes, over every version of HTTP: to try the proxy, or a client, with",
    examples: [
      "h3ws echo --listen 127.0.0.1:8080",
      "h3ws echo --tls",
      "h3ws echo --listen :8443 --plain-listen :8080 --cert cert.pem --key key.pem",
      "h3ws echo --unix /tmp/echo.sock",
    ],
  },
  connect: {
    name: "connect",
    summary: "talk to a WebSocket over HTTP/3, HTTP/2 or HTTP/1.1, by hand or through pipes",
    examples: [
      "h3ws connect wss://localhost:8443/ws --ca ca.pem",
      "h3ws connect -1 ws://127.0.0.1:8080/ -s chat -H Cookie:a=b --slash -P",
      "h3ws connect ws://127.0.0.1:8080/ -x hello -w 1",
      "h3ws connect ws://127.0.0.1:8080/ --json --reconnect",
      "h3ws connect --listen 9000",
    ],
  },
  bench: {
    name: "bench",
    summary: "load a WebSocket echo over HTTP/3, HTTP/2 or HTTP/1.1 and tell how long it takes",
    examples: [
      "h3ws bench wss://localhost:8443/ws --ca ca.pem -c 10 --streams 10",
      "h3ws bench wss://localhost:8443/ws --ca ca.pem -3 -R 5000 --ramp 5s -d 1m --html report.html",
      "h3ws bench ws://127.0.0.1:8080/ --size 16KiB -d 30s --json",
    ],
  },
  doctor: {
    name: "doctor",
    summary: "find out what a server can do, and why a WebSocket to it fails",
    examples: [
      "h3ws doctor wss://chat.example/ws",
      "h3ws doctor wss://localhost:8443/ws --ca ca.pem --echo",
      "h3ws doctor wss://chat.example/ws -o https://chat.example -s chat --idle 90s --json",
    ],
  },
  demo: {
    name: "demo",
    summary:
      "certificates, an echo backend, the proxy and a WebSocket over HTTP/3 through all of it",
    examples: ["h3ws demo", "h3ws demo --once --listen 127.0.0.1:0 --metrics off"],
  },
  gateway: {
    name: "gateway",
    summary: "take agents from behind NAT, and clients by SOCKS5 to what the agents reach",
    examples: [
      "h3ws gateway --listen :8443 --socks :1080 --user ann:secret",
      "h3ws gateway --cert cert.pem --key key.pem --users users.yaml",
      "h3ws gateway --config h3ws.yaml",
    ],
  },
  agent: {
    name: "agent",
    summary: "connect to a gateway, and let its clients reach what this machine reaches",
    examples: [
      "h3ws agent wss://gw.example:8443 --user ann:secret --ca ca.pem --allow 127.0.0.1,10.0.0.0/8",
      "h3ws agent gw1.example:8443 gw2.example:8443 --user ann:secret --service web=localhost:8080",
      "h3ws agent --config h3ws.yaml",
    ],
  },
  passwd: {
    name: "passwd",
    summary: "hash a password for the users of a gateway; it is read from the terminal or stdin",
    examples: ["h3ws passwd", "h3ws passwd ann"],
  },
  completions: {
    name: "completions",
    summary: "write a script that lets bash, zsh or fish complete command lines",
    examples: ["h3ws completions bash", "h3ws completions zsh", "h3ws completions fish"],
  },
  certs: {
    name: "certs",
    summary: "make a CA, a server's certificate and a client's for development",
    examples: [
      "h3ws certs",
      "h3ws certs --dir /etc/h3ws --host ws.example,192.0.2.7 --days 90",
      "h3ws certs --client alice",
    ],
  },
  check: {
    name: "check",
    summary: "check a configuration file: all that is wrong in it, each with its line",
    examples: ["h3ws check h3ws.yaml", "h3ws check h3ws.yaml --files off"],
  },
  schema: {
    name: "schema",
    summary: "print the JSON Schema of a configuration file, for editors",
    examples: ["h3ws schema"],
  },
} as const satisfies Readonly<Record<string, Listed>>;
