import type { Field } from "../../src/protocol/wire/field.ts";
import { OVERRIDE, PORT, routes, WORKSPACE } from "./cmux_support.ts";

routes("cmux, by fields", [
  { name: "a port alone is one of 127.0.0.1", fields: [[PORT, "3000"]], want: "127.0.0.1:3000" },
  { name: "blanks around it do not count", fields: [[PORT, " \t3000 "]], want: "127.0.0.1:3000" },
  { name: "nor do leading zeros", fields: [[PORT, "003000"]], want: "127.0.0.1:3000" },
  {
    name: "the upstream host is an option",
    fields: [[PORT, "3000"]],
    options: { upstreamHost: "10.0.0.9" },
    want: "10.0.0.9:3000",
  },
  {
    name: "a workspace has an address of its own",
    fields: [[PORT, "3000"], [WORKSPACE, "workspace-256"]],
    want: "127.18.1.0:3000",
  },
  {
    name: "whatever the upstream host is",
    fields: [[PORT, "3000"], [WORKSPACE, "workspace-1"]],
    options: { upstreamHost: "10.0.0.9", allowDefaultUpstream: true },
    want: "127.18.0.1:3000",
  },
  {
    name: "without workspace isolation it has none",
    fields: [[PORT, "3000"], [WORKSPACE, "workspace-1"]],
    options: { workspaceIsolation: false },
    want: "127.0.0.1:3000",
  },
  {
    name: "a field's port goes before that of the host name, the workspace stays",
    authority: "workspace-1-4000.localhost",
    fields: [[PORT, "3000"]],
    want: "127.18.0.1:3000",
  },
  {
    name: "a field's workspace goes before that of the host name, the port stays",
    authority: "workspace-1-4000.localhost",
    fields: [[WORKSPACE, "workspace-2"]],
    want: "127.18.0.2:4000",
  },
  { name: "no field and no host", want: "400 missing required header: X-Cmux-Port-Internal" },
  {
    name: "a workspace without a port",
    fields: [[WORKSPACE, "workspace-1"]],
    options: { required: false },
    want: "400 missing required header: X-Cmux-Port-Internal",
  },
  { name: "an empty port", fields: [[PORT, ""]], want: "400 header value cannot be empty" },
  { name: "a blank port", fields: [[PORT, " \t"]], want: "400 header value cannot be empty" },
  {
    name: "a port that is no ASCII",
    fields: [[PORT, "3000\xff"]],
    want: "400 invalid header value (not UTF-8)",
  },
  ...[
    ...["0", "65536", "-1", "+3000", "3000.0", "3e3", "0xbb8", "http", "3000 3001", "3000,3001"],
    ...["30\t00", "9".repeat(5000)],
  ].map((value) => ({
    name: `"${value.slice(0, 12)}" is no port`,
    fields: [[PORT, value]] as Field[],
    want: "400 invalid port in X-Cmux-Port-Internal",
  })),
  {
    name: "two ports are none",
    fields: [[PORT, "3000"], [PORT, "3000"]],
    want: "400 invalid port in X-Cmux-Port-Internal",
  },
  {
    name: "an empty workspace",
    fields: [[PORT, "3000"], [WORKSPACE, " "]],
    want: "400 X-Cmux-Workspace-Internal cannot be empty",
  },
  {
    name: "a workspace that is no ASCII",
    fields: [[PORT, "3000"], [WORKSPACE, "w\xfc"]],
    want: "400 invalid header value (not UTF-8): X-Cmux-Workspace-Internal",
  },
  {
    name: "a workspace whose number has more than 32 bits",
    fields: [[PORT, "3000"], [WORKSPACE, "workspace-4294967296"]],
    want: "400 invalid workspace name: workspace-4294967296",
  },
  {
    name: "a workspace without a last part",
    fields: [[PORT, "3000"], [WORKSPACE, "/root/"]],
    want: "400 invalid workspace name: /root/",
  },
  {
    name: "a long name is not sent back whole",
    fields: [[PORT, "3000"], [WORKSPACE, "1".repeat(60_000)]],
    want: `400 invalid workspace name: ${"1".repeat(100)}`,
  },
  {
    name: "the port is looked at first",
    authority: "evil.example",
    fields: [[PORT, "x"], [WORKSPACE, ""]],
    want: "400 invalid port in X-Cmux-Port-Internal",
  },
]);

routes("cmux, header routing off", [
  {
    name: "fields do not count",
    fields: [[PORT, "3000"]],
    options: { headerRouting: false },
    want: "400 No valid routing information found in request",
  },
  {
    name: "not even a bad one",
    authority: "web.8080.localhost",
    fields: [[PORT, "x"], [OVERRIDE, "a b"]],
    options: { headerRouting: false },
    want: "127.0.0.1:8080",
  },
  {
    name: "the override does not either",
    authority: "evil.example",
    fields: [[OVERRIDE, "localhost"]],
    options: { headerRouting: false, required: false },
    want: "none",
  },
]);
