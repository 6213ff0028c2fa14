/** What curl, by one of the gateway's ports, has to say. */
export interface CurlRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function curl(...args: string[]): Promise<CurlRun> {
  const { code, stdout, stderr } = await new Deno.Command("curl", {
    args: ["-sS", "--max-time", "20", "--noproxy", "", ...args],
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
