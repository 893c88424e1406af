/** Scenarios on a simulated host. */
import { Frame } from "../../wire/frame.ts";
import type { Device } from "../device.ts";
import { type Place, ScriptError } from "../shell/lines.ts";
import { Shell } from "../shell/shell.ts";
import { devicesOf, type Expectation, judge, type Observed } from "./expectation.ts";
import { readFrame } from "./frame-words.ts";
import type { Scenario, Script, Send, Trial } from "./scenario.ts";

/** Until new addresses are known to be nobody else's, and until everything that was sent has arrived. */
const SETTLE_MS = 3000;

/** One expectation, and what was seen instead. */
export interface Judgement {
  readonly expectation: Expectation;
  /** Undefined: it is as expected. */
  readonly instead: string | undefined;
}

/** What came of a step: of a script its complaint, of a trial its judgements. */
export type StepResult =
  | { readonly step: Script; readonly complaint: string }
  | {
      readonly step: Trial;
      readonly answers: Observed["answers"];
      readonly judgements: readonly Judgement[];
    };

export interface ScenarioRun {
  readonly scenario: Scenario;
  /** What complaints call it, `NAME:LINE:COLUMN`. */
  readonly name: string;
  /** Is given the simulated host before anything is built. */
  readonly prepare?: (shell: Shell) => void;
}

/** Step by step; ends behind a script that fails. Throws ScriptError where a name is nobody's. */
export function* runScenario({ scenario, name, prepare }: ScenarioRun): Generator<StepResult> {
  let said = "";
  const hear = (text: string) => {
    said += text;
  };
  const shell = new Shell({ print: hear, complain: hear });
  prepare?.(shell);
  const run = (words: string, place: Place) => {
    said = "";
    return { status: shell.run(words, name, place.line), said };
  };
  for (const step of scenario.steps) {
    if (step.kind === "trial") {
      yield { step, ...runTrial(shell, step, run) };
      continue;
    }
    const { status, said: complaint } = run(step.text, step.place);
    shell.world.clock.run(SETTLE_MS);
    yield { step, complaint: status === 0 ? "" : complaint };
    if (status !== 0) return;
  }
}

function runTrial(
  shell: Shell,
  { sends, expectations }: Trial,
  run: (words: string, place: Place) => { status: number; said: string },
): { answers: Observed["answers"]; judgements: Judgement[] } {
  for (const expectation of expectations)
    if ("device" in expectation && findDevice(shell, expectation.device) === undefined)
      throw new ScriptError(expectation.place, `Cannot find device "${expectation.device}"`);
  const seen = new Map<string, Frame[]>();
  const ends = devicesOf(expectations).map((name) => {
    const frames: Frame[] = [];
    seen.set(name, frames);
    return findDevice(shell, name)?.addTap((f, isOutgoing) => {
      if (!isOutgoing) frames.push(Frame.of(f.view().slice()));
    });
  });
  const before = dropsOf(shell);
  const answers = sends.flatMap((send) => {
    if (send.device === undefined)
      return [run(`ip netns exec ${send.netns} ${send.words}`, send.place)];
    sendFrame(shell, send);
    return [];
  });
  shell.world.clock.run(SETTLE_MS);
  for (const end of ends) end?.();
  const drops = new Map(
    Array.from(dropsOf(shell), ([name, counts]) => [name, since(before.get(name), counts)]),
  );
  const observed = { answers, seen, drops };
  const judgements = expectations.map((expectation) => ({
    expectation,
    instead: judge(expectation, observed),
  }));
  return { answers, judgements };
}

function sendFrame({ world }: Shell, { netns, device: name, words, place }: Send): void {
  const device = world.namespaces.get(netns)?.findDevice(name!);
  if (device === undefined) throw new ScriptError(place, `Cannot find device "${netns}/${name}"`);
  device.send(readFrame(words));
}

function findDevice({ world }: Shell, name: string): Device | undefined {
  for (const netns of world.namespaces.values()) {
    const device = netns.findDevice(name);
    if (device !== undefined) return device;
  }
  return undefined;
}

function dropsOf({ world }: Shell): Map<string, Readonly<Record<string, number>>> {
  const drops = new Map<string, Readonly<Record<string, number>>>();
  for (const { master, slaves, statistics } of world.ports) {
    drops.set(master.name, statistics.read(0).drops);
    for (const slave of slaves) drops.set(slave.name, statistics.read(slave.deviceId).drops);
  }
  return drops;
}

/** What the counts have grown by. */
export function since(
  before: Readonly<Record<string, number>> = {},
  after: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const grown = Object.entries(after).map(
    ([key, count]) => [key, count - (before[key] ?? 0)] as const,
  );
  return Object.fromEntries(grown.filter(([, count]) => count > 0));
}
