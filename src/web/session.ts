/** What is typed at the simulated host, what it answers, and what packets there were. */
import { FrameWordsError, readFrame } from "../sim/scenario/frame-words.ts";
import { Shell } from "../sim/shell/shell.ts";
import type { World } from "../sim/shell/world.ts";
import { Record, type Step } from "./record.ts";

/** Lines that are remembered; more are refused, since a link could not carry them. */
export const LINES_MAX = 2000;
/** Characters of a line. */
export const LINE_MAX = 4096;
/** `NETNS/DEVICE: FRAME` */
const FRAME_LINE = /^\s*([^\s:/]+)\/([^\s:/]+): +(\S.*?)\s*$/;
/** What sending one takes, as any command does. */
const FRAME_MS = 1;
/** What is typed is called so where it is told what went wrong. */
const INPUT = "input";

export interface Answer {
  /** Where the line was typed: `host # `. */
  readonly prompt: string;
  readonly line: string;
  readonly output: string;
  /** What went wrong. */
  readonly complaint: string;
  readonly status: number;
}

export class Session {
  readonly record: Record;
  readonly #shell: Shell;
  readonly #lines: string[] = [];
  #output = "";
  #complaint = "";

  /** `onStep` is told what becomes of packets. */
  constructor(onStep?: (step: Step) => void) {
    this.#shell = new Shell({
      print: (text) => {
        this.#output += text;
      },
      complain: (text) => {
        this.#complaint += text;
      },
    });
    this.record = new Record(this.world.simulation, onStep);
  }

  /** The same lines typed at a new host: two of them are alike. Nobody watches it. */
  static of(lines: readonly string[]): Session {
    const session = new Session();
    for (const line of lines) session.run(line, false);
    return session;
  }

  get world(): World {
    return this.#shell.world;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Name of the namespace in which lines are run. */
  get where(): string {
    return this.#shell.netns.name;
  }

  get prompt(): string {
    return `${this.where} # `;
  }

  /** Its place is told as if all lines were one script. */
  run(line: string, isWatched = true): Answer {
    const { prompt } = this;
    [this.#output, this.#complaint] = ["", ""];
    const refusal = this.#refusalOf(line);
    if (refusal !== undefined) this.#complaint = `${INPUT}: ${refusal}\n`;
    const status = refusal === undefined ? this.#try(line, isWatched) : 1;
    return { prompt, line, output: this.#output, complaint: this.#complaint, status };
  }

  #refusalOf(line: string): string | undefined {
    if (this.#lines.length >= LINES_MAX) return `there are ${LINES_MAX} lines already: begin anew`;
    return line.length > LINE_MAX ? `a line has up to ${LINE_MAX} characters` : undefined;
  }

  #try(line: string, isWatched: boolean): number {
    this.#lines.push(line);
    this.world.simulation.witness = isWatched ? this.record.witness : undefined;
    const [, netns, device, words] = FRAME_LINE.exec(line) ?? [];
    try {
      if (words !== undefined) return this.#send(netns!, device!, words, line.indexOf(words) + 1);
      return this.#shell.run(line, INPUT, this.#lines.length);
    } catch (error) {
      // Whatever it is, the page goes on: this is a mistake of ours, and the line says which.
      return this.#complain(1, `the simulated host has failed: ${error}`);
    }
  }

  /** A frame in words out of a device, as in scenarios. */
  #send(netns: string, name: string, words: string, column: number): number {
    const device = this.world.namespaces.get(netns)?.findDevice(name);
    if (device === undefined) return this.#complain(1, `Cannot find device "${netns}/${name}"`);
    try {
      device.send(readFrame(words));
    } catch (error) {
      if (!(error instanceof FrameWordsError)) throw error;
      return this.#complain(column, error.message);
    }
    this.world.clock.run(FRAME_MS);
    return 0;
  }

  #complain(column: number, message: string): number {
    this.#complaint += `${INPUT}:${this.#lines.length}:${column}: ${message}\n`;
    return 1;
  }
}

/** A script's lines, as they are typed: one that ends in a backslash goes on. */
export function linesOf(script: string): string[] {
  const lines: string[] = [];
  let begun = "";
  for (const line of script.replace(/\r\n?/g, "\n").split("\n")) {
    if (line.endsWith("\\")) begun += `${line}\n`;
    else {
      if ((begun + line).trim() !== "") lines.push((begun + line).trim());
      begun = "";
    }
  }
  if (begun.trim() !== "") lines.push(begun.trim().replace(/\\$/, "").trim());
  return lines;
}
