/** The CNI plugin `ipvlan`: what a runtime asks, answered on stdout. */
import { readFileSync } from "node:fs";
import { formatError, inOneLine } from "./errors.ts";
import { parseRequest, type Request } from "./request.ts";
import { VERSIONS } from "./version.ts";

/** What is printed, if anything; each command is loaded when it is asked for. */
async function answer(request: Request): Promise<string | undefined> {
  switch (request.command) {
    case "ADD":
      return (await import("./add.ts")).add(request);
    case "CHECK":
      await (await import("./check.ts")).check(request);
      return undefined;
    case "DEL":
      await (await import("./del.ts")).del(request);
      return undefined;
    case "GC":
      await (await import("./gc.ts")).collect(request);
      return undefined;
    case "STATUS":
      await (await import("./status.ts")).status(request);
      return undefined;
  }
}

const ABOUT = `CNI ipvlan plugin\nCNI protocol versions supported: ${VERSIONS.join(", ")}\n`;

async function run(): Promise<void> {
  const command = process.env.CNI_COMMAND ?? "";
  if (command === "") {
    process.stderr.write(ABOUT);
    return;
  }
  if (command === "VERSION") {
    const versions = { cniVersion: VERSIONS.at(-1), supportedVersions: VERSIONS };
    process.stdout.write(`${JSON.stringify(versions)}\n`);
    return;
  }
  try {
    const output = await answer(parseRequest(process.env, readFileSync(0, "utf8")));
    if (output !== undefined) process.stdout.write(`${output}\n`);
  } catch (error) {
    process.stdout.write(`${formatError(error)}\n`);
    process.exitCode = 1;
  }
}

run().catch((error: unknown) => {
  process.stderr.write(`${inOneLine(error)}\n`);
  process.exitCode = 1;
});
