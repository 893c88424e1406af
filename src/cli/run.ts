/** Carries a command out and returns the exit status; whatever goes wrong is one text on stderr. */
import { readFileSync } from "node:fs";
import { NotPermittedError } from "../client/privilege.ts";
import { notPermitted, STATUS_REFUSED, STATUS_USAGE, UsageError } from "../words/errors.ts";
import type { Call } from "./call.ts";
import { parseCommand, parseObject, type Request } from "./command.ts";
import { getSystemIp, passOn } from "./system-ip.ts";
import { type Text, usages } from "./usage.ts";

/** `self` is the path of the script, under the name by which it was called. */
export const run = (line: readonly string[], self: string): Promise<number> =>
  guarded(async () => {
    const command = parseCommand(line, self.split("/").at(-1) ?? "");
    if (command.to === "reader") return printText(command.text, line);
    if (command.to === "system") return passOn(getSystemIp(self), line);
    const { getCall } = await import("./call.ts");
    const call = getCall(line, command.options, self);
    if (command.to === "daemon") return answer(command.request, call);
    const { runBatch } = await import("./run-batch.ts");
    return runBatch(command.file, call, (words) => guarded(() => runLine(words, call)));
  });

/** A line of a batch. */
function runLine(words: readonly string[], call: Call): Promise<number> | number {
  const line = [...call.options.words, ...words];
  const command = parseObject(words, call.options);
  if (command.to === "reader") return printText(command.text, line);
  if (command.to === "daemon") return answer(command.request, { ...call, line });
  return passOn(getSystemIp(call.self), line);
}

async function guarded(action: () => Promise<number> | number): Promise<number> {
  try {
    return await action();
  } catch (thrown) {
    const error = thrown instanceof NotPermittedError ? notPermitted() : thrown;
    const isOurs = error instanceof UsageError;
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(isOurs ? `${text}\n` : `ipvlan: ${text}\n`);
    return isOurs ? error.status : STATUS_REFUSED;
  }
}

/** What carries it out is loaded now: the time that a command takes is mostly the time that it takes to load. */
async function answer(request: Request, call: Call): Promise<number> {
  switch (request.verb) {
    case "add":
      return (await import("./run-link.ts")).addLink(request, call);
    case "set":
      return (await import("./run-link.ts")).setLink(request, call);
    case "stack":
      return (await import("./run-link.ts")).stack(request, call);
    case "delete":
      return (await import("./run-link.ts")).deleteLink(request, call);
    case "add address":
      return (await import("./run-addr.ts")).addAddress(request, call);
    case "show":
      return (await import("./run-show.ts")).show(request, call);
    case "monitor":
      return (await import("./run-monitor.ts")).monitor(request, call);
    case "port show":
    case "status":
      return (await import("./run-port.ts")).showPorts(request, call);
    case "port set":
      return (await import("./run-port.ts")).setPort(request, call);
    case "daemon run":
      return (await import("./run-port.ts")).runDaemon(request, call);
    case "daemon stop":
      return (await import("./run-port.ts")).stopDaemon(request, call);
    case "docker run":
      return (await import("./run-docker.ts")).runDocker(call);
    case "sim":
      return (await import("./run-sim.ts")).runSim(request);
    case "install":
    case "uninstall":
      return (await import("./run-install.ts")).runInstall(request, call);
  }
}

/** Asked for help, it goes to stdout; called without a word, to stderr and with iproute2's exit status. */
function printText(text: Text, line: readonly string[]): number {
  const isAsked = line.length > 0;
  const stream = isAsked ? process.stdout : process.stderr;
  stream.write(`${text === "version" ? `ipvlan ${version()}` : usages[text]}\n`);
  return isAsked ? 0 : STATUS_USAGE;
}

function version(): string {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
