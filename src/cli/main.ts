#!/usr/bin/env node
/** The `ipvlan` command: words from the shell to `run`, its answer back as exit status. */
import { run } from "./run.ts";

// A reader that has seen enough (`ipvlan status | head -1`) is no error.
process.stdout.on("error", () => process.exit());

const [, self = "", ...words] = process.argv;
process.exitCode = await run(words, self);
