/** Carries a command out and returns the exit status; whatever goes wrong is one text on stderr. */
import { readFileSync } from "node:fs";
import { type Call, getNamespace } from "./call.ts";
import { type Command, parseCommand, type Request } from "./command.ts";
import { STATUS_REFUSED, STATUS_USAGE, UsageError } from "./errors.ts";
import { addLink, deleteLink, setAddress, setLink } from "./run-link.ts";
import { runDaemon, setPort, showPorts, stopDaemon } from "./run-port.ts";
import { showLinks } from "./run-show.ts";
import { getSystemIp, passOn } from "./system-ip.ts";
import { usage } from "./usage.ts";

/** `self` is the path of the script, under the name by which it was called. */
export async function run(line: readonly string[], self: string): Promise<number> {
  try {
    const command = parseCommand(line, self.split("/").at(-1) ?? "");
    return await carryOut(command, line, self);
  } catch (error) {
    const isOurs = error instanceof UsageError;
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(isOurs ? `${text}\n` : `ipvlan: ${text}\n`);
    return isOurs ? error.status : STATUS_REFUSED;
  }
}

async function carryOut(command: Command, line: readonly string[], self: string): Promise<number> {
  if (command.to === "reader") return printText(command.text, line);
  if (command.to === "system") return passOn(getSystemIp(self), line);
  const { options, request } = command;
  return answer(request, { line, options, netns: getNamespace(options), self });
}

function answer(request: Request, call: Call): Promise<number> {
  switch (request.verb) {
    case "add":
      return addLink(request, call);
    case "set":
      return setLink(request, call);
    case "set address":
      return setAddress(request, call);
    case "delete":
      return deleteLink(request, call);
    case "show":
      return showLinks(request, call);
    case "port show":
    case "status":
      return showPorts(request, call);
    case "port set":
      return setPort(request, call);
    case "daemon run":
      return runDaemon();
    case "daemon stop":
      return stopDaemon(request, call);
  }
}

/** Asked for help, it goes to stdout; called without a word, to stderr and with iproute2's exit status. */
function printText(text: "usage" | "version", line: readonly string[]): number {
  const isAsked = line.length > 0;
  const stream = isAsked ? process.stdout : process.stderr;
  stream.write(`${text === "usage" ? usage : `ipvlan ${version()}`}\n`);
  return isAsked ? 0 : STATUS_USAGE;
}

function version(): string {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
