import assert from "node:assert/strict";
import { ConfigFileError, faultLine, parseConfig } from "../../src/config/file.ts";

/** What is told of a file, without its name before each line. */
export function linesFor(text: string, env: Record<string, string> = {}): string[] {
  try {
    parseConfig(text, { file: "f.yaml", env });
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigFileError, String(error));
    assert.equal(error.message, error.faults.map(faultLine).join("\n"));
    return error.message.split("\n").map((line) => {
      assert.ok(line.startsWith("f.yaml:"), line);
      return line.slice("f.yaml:".length);
    });
  }
}
