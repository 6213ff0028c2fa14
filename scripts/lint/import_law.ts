/**
 * The two laws of the house, as a plugin for `deno lint`.
 *
 * - `house/import-law`: a room imports only from itself and from the rooms above it in `ROOMS`.
 * - `house/pure-protocol`: `src/protocol` has no I/O, no async, no clock and no randomness.
 */

/** All rooms, from top to bottom: each may import from those before it, never from those behind. */
export const ROOMS = [
  "protocol/wire",
  "protocol/websocket",
  "protocol/http1",
  "protocol/proxy_protocol",
  "protocol/dns",
  "protocol/quic",
  "protocol/hpack",
  "protocol/http2",
  "protocol/qpack",
  "protocol/http3",
  "protocol/socks5",
  "protocol/tunnel",
  "net",
  "ingress",
  "endpoint",
  "client",
  "server",
  "proxy",
  "tunnel",
  "observe",
  "config",
  "cli",
] as const;

const IMPURE_GLOBALS = new Set([
  ...["Deno", "process", "Buffer", "globalThis", "self", "navigator", "console"],
  ...["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval"],
  ...["queueMicrotask", "Promise", "PromiseLike", "AbortSignal", "AbortController"],
  ...["Date", "Temporal", "performance", "crypto"],
  ...["fetch", "WebSocket", "Worker", "BroadcastChannel", "MessageChannel"],
  ...["localStorage", "sessionStorage", "caches"],
]);

type Node = Deno.lint.Node;

/** The path of a file below the repository's root, with forward slashes. */
function houseFile(filename: string): string {
  const path = filename.replace(/^file:\/\//, "").replaceAll("\\", "/");
  const root = decodeURIComponent(new URL("../../", import.meta.url).pathname);
  if (path.startsWith(root)) return path.slice(root.length);
  if (("/" + path).startsWith(root)) return path.slice(root.length - 1); // C:/... on Windows
  return path.startsWith("/") ? "" : path.replace(/^\.\//, "");
}

/** The room of a file in `src/`: one of `ROOMS`, `mod` for the library's door, or its folder. */
function roomOf(file: string): string {
  if (file === "src/mod.ts") return "mod";
  const folders = file.split("/").slice(1, -1);
  return folders.slice(0, folders[0] === "protocol" ? 2 : 1).join("/");
}

/** Where a relative specifier leads, below the repository's root; `..` is left in what escapes. */
function resolve(fromFile: string, specifier: string): string {
  const parts = fromFile.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.length > 0 && parts.at(-1) !== ".." ? parts.pop() : parts.push("..");
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function isRelative(specifier: string): boolean {
  return specifier.startsWith("./") || specifier.startsWith("../");
}

/** Why `fromFile` may not import `specifier`, or `null` where it may. */
export function importFault(fromFile: string, specifier: string): string | null {
  if (!isRelative(specifier)) return null;
  const target = resolve(fromFile, specifier);
  if (fromFile === "main.ts") {
    return target.startsWith("src/cli/") ? null : `main.ts imports only from src/cli`;
  }
  const from = roomOf(fromFile);
  if (from === "mod") return null;
  const fromIndex = ROOMS.indexOf(from as typeof ROOMS[number]);
  if (fromIndex < 0) return `src/${from} is no room of the house`;
  if (!target.startsWith("src/")) {
    // Name and version come from here.
    return target === "deno.json" && fromIndex >= ROOMS.indexOf("net")
      ? null
      : `src/${from} imports from outside src/`;
  }
  const to = roomOf(target);
  if (to === "mod") return `src/mod.ts is for users of the library; no room imports it`;
  const toIndex = ROOMS.indexOf(to as typeof ROOMS[number]);
  if (toIndex < 0) return `src/${to} is no room of the house`;
  return toIndex <= fromIndex ? null : `src/${from} imports from src/${to}, which is below it`;
}

/** Calls `check` with each module specifier that is text, `dynamic` with each that is computed. */
function specifierVisitor(
  check: (node: Node, specifier: string) => void,
  dynamic: (node: Node) => void,
): Deno.lint.LintVisitor {
  const text = (node: Node, value: unknown) =>
    typeof value === "string" ? check(node, value) : dynamic(node);
  return {
    ImportDeclaration: (node) => text(node, node.source.value),
    ExportAllDeclaration: (node) => text(node, node.source.value),
    ExportNamedDeclaration: (node) => node.source && text(node, node.source.value),
    ImportExpression: (node) =>
      text(node, node.source.type === "Literal" ? node.source.value : null),
    TSImportType: (node) => {
      const type = node.argument;
      text(
        node,
        type.type === "TSLiteralType" && type.literal.type === "Literal"
          ? type.literal.value
          : null,
      );
    },
    TSImportEqualsDeclaration: (node) => {
      const target = node.moduleReference;
      if (target.type !== "TSExternalModuleReference") return;
      text(node, target.expression.type === "Literal" ? target.expression.value : null);
    },
  };
}

const importLaw: Deno.lint.Rule = {
  create(context) {
    const file = houseFile(context.filename);
    if (file !== "main.ts" && !file.startsWith("src/")) return {};
    const hint = `The order is: ${ROOMS.join(" > ")}`;
    return specifierVisitor((node, specifier) => {
      const message = importFault(file, specifier);
      if (message !== null) context.report({ node, message, hint });
    }, (node) => {
      context.report({ node, message: "Cannot check a computed import", hint });
    });
  },
};

/** Whether this identifier only names a member, a key or a label: `frame.Date`, `{ Date: 1 }`. */
function isMemberName(node: Deno.lint.Identifier): boolean {
  const parent = node.parent as unknown as Record<string, unknown> & Node;
  if ("computed" in parent && parent.computed === true) return false;
  const same = (other: unknown) => (other as Node | undefined)?.range[0] === node.range[0];
  switch (parent.type as string) {
    case "MemberExpression":
      return same(parent.property);
    case "Property":
      return same(parent.key) && parent.shorthand !== true;
    case "MethodDefinition":
    case "PropertyDefinition":
    case "AccessorProperty":
    case "TSAbstractMethodDefinition":
    case "TSAbstractPropertyDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return same(parent.key);
    case "TSEnumMember":
      return same(parent.id);
    case "TSQualifiedName":
      return same(parent.right);
    case "ImportSpecifier":
    case "ExportSpecifier":
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
    case "MetaProperty":
      return true;
    default:
      return false;
  }
}

const pureProtocol: Deno.lint.Rule = {
  create(context) {
    if (!houseFile(context.filename).startsWith("src/protocol/")) return {};
    const hint = "src/protocol is pure: bytes, time and random values are passed in";
    const seen = new Set<number>();
    const report = (node: Node, message: string) => {
      if (seen.has(node.range[0])) return; // a shorthand property is visited as key and as value
      seen.add(node.range[0]);
      context.report({ node, message, hint });
    };
    const noAsync = (node: Node & { async?: boolean }) => {
      if (node.async) report(node, "No async function in src/protocol");
    };
    return {
      ...specifierVisitor((node, specifier) => {
        if (!isRelative(specifier)) report(node, `No import of "${specifier}" in src/protocol`);
      }, () => {}),
      FunctionDeclaration: noAsync,
      FunctionExpression: noAsync,
      ArrowFunctionExpression: noAsync,
      AwaitExpression: (node) => report(node, "No await in src/protocol"),
      ForOfStatement: (node) => node.await && report(node, "No await in src/protocol"),
      Identifier(node) {
        if (IMPURE_GLOBALS.has(node.name) && !isMemberName(node)) {
          report(node, `No ${node.name} in src/protocol`);
        }
      },
      MemberExpression(node) {
        if (node.object.type !== "Identifier" || node.object.name !== "Math") return;
        const name = node.property.type === "Identifier" && !node.computed
          ? node.property.name
          : node.property.type === "Literal"
          ? node.property.value
          : "random"; // a computed name may be any
        if (name === "random") report(node, "No Math.random in src/protocol");
      },
      VariableDeclarator(node) {
        // `const { random } = Math` would hide it.
        if (node.init?.type === "Identifier" && node.init.name === "Math") {
          report(node, "No alias of Math in src/protocol");
        }
      },
    };
  },
};

const plugin: Deno.lint.Plugin = {
  name: "house",
  rules: { "import-law": importLaw, "pure-protocol": pureProtocol },
};
export default plugin;
