// curl, which is nghttp2 for HTTP/2, as a client.
import { latin1 } from "../support/inbox.ts";
import { type Door, type Doors, originOf } from "./doors.ts";

const PATIENCE_MS = 120_000;

/** How curl is told the version; over TLS, ALPN must agree. */
const VERSIONS: Record<Door["name"], string> = {
  h1: "--http1.1",
  h1s: "--http1.1",
  h2c: "--http2-prior-knowledge",
  h2: "--http2",
};

export interface CurlAnswer {
  /** "1", "1.1" or "2". */
  version: string;
  status: number;
  /** As `--dump-header` has it, in lower case: interim heads, the head and trailers. */
  head: string;
  body: Uint8Array;
  bytesUp: number;
  bytesDown: number;
}

export interface CurlCall {
  curl: string;
  door: Door;
  proxy: Doors;
  path: string;
  /** More arguments, which come last. */
  args?: readonly string[];
}

/** Runs curl for one request; throws with its words when it fails. */
export async function callCurl({ curl, door, proxy, path, args = [] }: CurlCall) {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/ca.pem`, proxy.caCerts[0]);
    const { code, stdout, stderr } = await new Deno.Command(curl, {
      args: [
        ...["--silent", "--show-error", "--noproxy", "*", "--max-time", "100"],
        ...["--cacert", `${folder}/ca.pem`, "--dump-header", `${folder}/head`],
        ...["--output", `${folder}/body`],
        ...["--write-out", "%{http_version} %{http_code} %{size_upload} %{size_download}"],
        VERSIONS[door.name],
        ...args,
        `${originOf(door, proxy)}${path}`,
      ],
      env: { HOME: folder },
      stdin: "null",
      signal: AbortSignal.timeout(PATIENCE_MS),
    }).output();
    if (code !== 0) throw new Error(`curl ${code}: ${new TextDecoder().decode(stderr)}`);
    const [version, ...numbers] = latin1(stdout).split(" ");
    const [status, bytesUp, bytesDown] = numbers.map(Number);
    const answer: CurlAnswer = {
      ...{ version, status, bytesUp, bytesDown },
      head: (await Deno.readTextFile(`${folder}/head`)).toLowerCase(),
      body: await contentOf(`${folder}/body`),
    };
    return answer;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** curl makes no file where there was no content, or where the arguments name another. */
async function contentOf(file: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Uint8Array(0);
    throw error;
  }
}
