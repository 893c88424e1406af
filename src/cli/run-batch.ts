/**
 * `-batch FILE`: a command in each line. What is ours is carried out here; what is the system's goes to one `ip -batch`
 * for as many lines as come together, so that a long batch takes no longer than the system's.
 *
 * Lines about addresses and devices are ours only if a slave is concerned. What the daemons know of slaves is asked
 * once, kept while lines go by, and asked anew before a line is taken for ours: it may then turn out not to be. Slaves
 * that we make and delete ourselves are known without asking, so that the thousandth takes no longer than the first.
 */
import { createReadStream, openSync } from "node:fs";
import type { Readable } from "node:stream";
import { formatPrefix } from "../wire/address.ts";
import { STATUS_FAILED, STATUS_USAGE, UsageError } from "../words/errors.ts";
import { type BatchLine, BatchReader } from "./batch-lines.ts";
import type { Call } from "./call.ts";
import { type Command, parseObject, type Request } from "./command.ts";
import { findRefusal } from "./run-addr.ts";
import { feed, getSystemIp, passOn } from "./system-ip.ts";

/** Carries one line out and returns its exit status. */
export type CarryOut = (line: readonly string[]) => Promise<number>;

export async function runBatch(file: string, call: Call, carryOut: CarryOut): Promise<number> {
  const input = openInput(file);
  // The system says why it cannot be read.
  if (input === undefined) return passOn(getSystemIp(call.self), call.line);
  const batch = new Batch(file, call, carryOut);
  const reader = new BatchReader();
  for await (const piece of input.setEncoding("latin1")) {
    await batch.take(reader.push(piece));
    if (batch.isOver) return batch.status;
  }
  await batch.take(reader.end());
  return batch.status;
}

function openInput(file: string): Readable | undefined {
  if (file === "-") return process.stdin;
  try {
    return createReadStream("", { fd: openSync(file, "r") });
  } catch {
    return undefined;
  }
}

class Batch {
  status = 0;
  isOver = false;
  readonly #file: string;
  readonly #call: Call;
  readonly #carryOut: CarryOut;
  /** Lines for the system, which run together. */
  #waiting: BatchLine[] = [];
  /** Whether one of them may give a slave a name that it has not now. */
  #mayRename = false;

  constructor(file: string, call: Call, carryOut: CarryOut) {
    this.#file = file;
    this.#call = call;
    this.#carryOut = carryOut;
  }

  /** All of them: somebody may wait for the answer before writing more. */
  async take(lines: readonly BatchLine[]): Promise<void> {
    for (const line of lines) {
      if (this.isOver) return;
      const words = line.words?.map((word) => Buffer.from(word, "latin1").toString());
      if (words?.length === 0) continue;
      if (words !== undefined && (await this.#isOurs(words))) await this.#runOurs(words, line);
      else if (!this.isOver) await this.#wait(words, line);
    }
    await this.#runWaiting();
  }

  async #wait(words: readonly string[] | undefined, line: BatchLine): Promise<void> {
    this.#waiting.push(line);
    if (words?.some((word) => word === "name" || word === "exec")) this.#mayRename = true;
    if (words !== undefined) return;
    await this.#runWaiting();
    this.isOver = true;
  }

  async #isOurs(words: readonly string[]): Promise<boolean> {
    const command = this.#parse(words);
    if (command === undefined) return true;
    if (command.to !== "daemon") return command.to !== "system";
    if (this.#mayRename) await this.#runWaiting();
    return concernsSlaves(command.request, this.#call);
  }

  /** None: we have something to say against it. */
  #parse(words: readonly string[]): Command | undefined {
    try {
      return parseObject(words, this.#call.options);
    } catch (error) {
      if (error instanceof UsageError) return undefined;
      throw error;
    }
  }

  async #runOurs(words: readonly string[], { number }: BatchLine): Promise<void> {
    await this.#runWaiting();
    if (this.isOver) return;
    const keeps = isMakingOrDeleting(this.#parse(words));
    if (!keeps) this.#call.daemons.forget();
    const status = await this.#carryOut(words);
    if (!keeps || status !== 0) this.#call.daemons.forget();
    if (status !== 0 && status !== STATUS_USAGE) {
      process.stderr.write(`Command failed ${this.#file}:${number}\n`);
    }
    this.#heed(status);
  }

  async #runWaiting(): Promise<void> {
    const lines = this.#waiting;
    if (lines.length === 0) return;
    this.#waiting = [];
    if (this.#mayRename) this.#call.daemons.forget();
    this.#mayRename = false;
    const { options, self } = this.#call;
    const input = lines.map(({ text }) => (text.endsWith("\n") ? text : `${text}\n`)).join("");
    const tell = numberedAs(this.#file, lines);
    this.#heed(await feed(getSystemIp(self), [...options.words, "-batch", "-"], input, tell));
  }

  /** iproute2 ends at once where its words are wrong, and at the first failure unless told otherwise. */
  #heed(status: number): void {
    if (status === 0) return;
    const isFailure = status !== STATUS_USAGE && status < SIGNALS;
    this.status = isFailure ? STATUS_FAILED : status;
    this.isOver = !isFailure || !this.#call.options.force;
  }
}

/** From here on a status is a signal's. */
const SIGNALS = 128;

/** In what the system says of its input, the lines' own numbers. */
function numberedAs(file: string, lines: readonly BatchLine[]): (said: string) => string {
  const numbers = new Map<number, number>();
  let at = 0;
  for (const { text, number } of lines) {
    at += Math.max(text.split("\n").length - 1, 1);
    numbers.set(at, number);
  }
  const name = Buffer.from(file).toString("latin1");
  return (said) =>
    said.replace(
      /^Command failed -:(\d+)$/m,
      (_, number) => `Command failed ${name}:${numbers.get(Number(number)) ?? number}`,
    );
}

const isMakingOrDeleting = (command: Command | undefined): boolean =>
  command?.to === "daemon" && ["add", "delete"].includes(command.request.verb);

/** As far as is known; an address that is not refused is expected to be set. */
async function concernsSlaves(request: Request, { daemons }: Call): Promise<boolean> {
  switch (request.verb) {
    case "set":
      return (await daemons.find(request.name)) !== undefined || daemons.isForbidden();
    case "stack":
      return (await daemons.roleOf(request.name)) !== undefined;
    case "delete":
      return (await daemons.find(request.name)) !== undefined;
    case "add address":
      if ((await findRefusal(request, daemons)) !== undefined) return true;
      await daemons.expectAddress(request.name, formatPrefix(request.address));
      return false;
    case "show": {
      const links = (await daemons.homes()).map(({ link }) => link);
      return links.some(({ here, masterHere }) => here || masterHere);
    }
    default:
      return true;
  }
}
