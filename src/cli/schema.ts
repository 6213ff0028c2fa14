import { type Command, defineCommand, ExitCode } from "./command.ts";
import { LISTED } from "./listed.ts";

/** `h3ws schema`: the JSON Schema of a configuration file. */
export const schemaCommand: Command = defineCommand({
  ...LISTED.schema,
  flags: {},
  async run(_config, io) {
    // The libraries for it are large, and few other commands need them.
    const { fileJsonSchema } = await import("../config/file_schema.ts");
    io.out(`${JSON.stringify(fileJsonSchema(), null, 2)}\n`);
    return ExitCode.OK;
  },
});
