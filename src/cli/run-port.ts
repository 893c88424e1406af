/** `port`, `status` and `daemon`: about the masters of one namespace, so the daemon of that namespace answers. */
import { clientOf, NoDaemonError, withDaemon } from "../client/client.ts";
import { demandPrivilege } from "../client/privilege.ts";
import { STATUS_SERVED } from "../client/start-daemon.ts";
import { notPermitted, STATUS_FAILED, UsageError } from "../words/errors.ts";
import { about, type Call, daemonWordsOf } from "./call.ts";
import type { DaemonRun, DaemonStop, PortSet, PortShow } from "./port.ts";
import { engineOfEnvironment } from "./port.ts";
import { formatPorts, formatStatus } from "./status.ts";
import { passOn } from "./system-ip.ts";

const NO_DAEMON = "ipvlan: no daemon runs for this network namespace";

export async function showPorts(request: PortShow, call: Call): Promise<number> {
  const ports = await findAnswer(clientOf(call.netns).ports(call.netns));
  if (ports === undefined) process.stderr.write(`${NO_DAEMON}\n`);
  const { json, pretty } = call.options;
  if (json || request.json) {
    process.stdout.write(`${JSON.stringify(ports ?? [], null, pretty ? 4 : undefined)}\n`);
  } else if (ports !== undefined) {
    process.stdout.write(request.verb === "status" ? formatStatus(ports) : formatPorts(ports));
  }
  return 0;
}

export async function setPort({ verb, master, ...said }: PortSet, call: Call): Promise<number> {
  const changed = clientOf(call.netns).changePort({ netns: call.netns, master, ...said });
  await getAnswer(about(master, changed));
  return 0;
}

/** The daemon and what it needs are loaded only when it is to run. */
export async function runDaemon({ engine }: DaemonRun, call: Call): Promise<number> {
  if (call.options.netns !== undefined) {
    const [program = "", ...words] = daemonWordsOf(call);
    return passOn(program, [...words, ...(engine === undefined ? [] : ["--engine", engine])]);
  }
  demandPrivilege();
  const { runDaemon } = await import("../daemon/main.ts");
  if (await runDaemon(engine ?? engineOfEnvironment())) process.exit(0); // with connections that are still open
  throw new UsageError("ipvlan: another daemon serves this network namespace", STATUS_SERVED);
}

/** Returns when the daemon is gone. */
export async function stopDaemon({ remove }: DaemonStop, call: Call): Promise<number> {
  await getAnswer(about("the daemon", clientOf(call.netns).stop(remove)));
  return 0;
}

async function getAnswer<Answer>(asked: Promise<Answer>): Promise<void> {
  const answer = await findAnswer(asked.then((value) => ({ value })));
  if (answer === undefined) throw new UsageError(NO_DAEMON, STATUS_FAILED);
}

/** None: there is no daemon to ask. */
function findAnswer<Answer>(asked: Promise<Answer>): Promise<Answer | undefined> {
  const allowed = asked.catch((error: unknown) => {
    const isForbidden = error instanceof NoDaemonError && error.isForbidden;
    throw isForbidden ? notPermitted() : error;
  });
  return withDaemon(allowed);
}
