// All rows of the matrix of doors, and the table that the README has of them.
import type { Case } from "./tunnel_cell.ts";
import { OTHER_CASES } from "./tunnel_cases_other.ts";
import { WEBSOCKET_CASES } from "./tunnel_cases_websocket.ts";
import { DOORS } from "./tunnel_client.ts";

/** How the backend is reached. */
export const BACKENDS = ["ws", "wss", "agent", "agent+tls"] as const;
export type BackendKind = typeof BACKENDS[number];

/** What is run at every door before every kind of backend. */
export const CASES: readonly Case[] = [...WEBSOCKET_CASES, ...OTHER_CASES];

/** The columns of the table. */
export const GROUPS: readonly string[] = [...new Set(CASES.map(({ group }) => group))];

/**
 * The table in Markdown: a line for each door with the kinds of backends, a column for each group
 * of cases; below it the cases of each group, and where versions differ. `cell` says what stands in
 * the table for one door and group.
 */
export function matrixMarkdown(cell: (door: string, group: string) => string): string {
  const head = ["from the client", ...GROUPS];
  const rows = DOORS.map(({ id, title }) => [title, ...GROUPS.map((group) => cell(id, group))]);
  const table = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |\n`);
  const lists = GROUPS.map((group) => {
    const cases = CASES.filter((one) => one.group === group);
    return `- **${group}**: ${cases.map(({ name }) => name).join("; ")}\n`;
  });
  const notes = CASES.flatMap(({ group, name, note }) =>
    note === undefined ? [] : [`- ${name} (${group}): ${note}.\n`]
  );
  const differ = `Where the versions differ:\n\n${notes.join("")}`;
  return [table.join(""), lists.join(""), differ].join("\n");
}

/** What the README says: the backends before which every case of a group passes. */
export function testedMarkdown(): string {
  return matrixMarkdown(() => BACKENDS.join(", "));
}
