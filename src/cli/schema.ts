import { type Command, defineCommand, ExitCode } from "./command.ts";

/** `h3ws schema`: the JSON Schema of a configuration file. */
export const schemaCommand: Command = defineCommand({
  name: "schema",
  summary: "print the JSON Schema of a configuration file, for editors",
  flags: {},
  examples: ["h3ws schema"],
  async run(_config, io) {
    // The libraries for it are large, and few other commands need them.
    const { fileJsonSchema } = await import("../config/file_schema.ts");
    io.out(`${JSON.stringify(fileJsonSchema(), null, 2)}\n`);
    return ExitCode.OK;
  },
});
