/**
 * Scenarios: files that tell a story, with a network to build, what is sent there, and what is to be seen.
 *
 *     Private slaves do not reach each other
 *
 *     Two tenants share eth0. ...
 *
 *     -- topology --
 *     ip netns add ns0
 *     ip link add link eth0 ipvl0 netns ns0 type ipvlan mode l2 private
 *     ...
 *     -- send --
 *     ns0: ping -c 1 -W 1 10.0.0.11
 *     -- expect --
 *     no answer
 *     ipvl0 drops isolated
 *
 * The first line is the title, then comes the story. Sections: `topology` and `change` are scripts, on the host and LAN
 * that a simulated host begins with; `send` has lines `NETNS: COMMAND` and `NETNS/DEVICE: FRAME`
 * (frame-words.ts); `expect` says what of the `send` before it is to be seen (expectation.ts).
 */
import { type Place, ScriptError } from "../shell/lines.ts";
import { type Expectation, readExpectation } from "./expectation.ts";
import { FrameWordsError, readFrame } from "./frame-words.ts";

export interface Scenario {
  readonly title: string;
  /** Paragraphs of Markdown. */
  readonly story: string;
  readonly steps: readonly Step[];
}

export type Step = Script | Trial;

/** What is built, or changed. */
export interface Script {
  readonly kind: "topology" | "change";
  readonly place: Place;
  readonly text: string;
}

/** Something is sent, and something is to be seen. */
export interface Trial {
  readonly kind: "trial";
  readonly sends: readonly Send[];
  readonly expectations: readonly Expectation[];
}

/** A command in a namespace, or a frame out of a device there. */
export interface Send {
  readonly place: Place;
  /** As it is written. */
  readonly text: string;
  readonly netns: string;
  /** Undefined: `words` are a command. */
  readonly device: string | undefined;
  readonly words: string;
}

const SECTION = /^-- (\S+) --$/;
const SECTIONS = ["topology", "change", "send", "expect"] as const;
type SectionName = (typeof SECTIONS)[number];

interface Line {
  readonly number: number;
  readonly text: string;
}

interface Section {
  readonly name: SectionName;
  /** Where its lines begin. */
  readonly start: number;
  readonly lines: Line[];
}

/** Whether a text is a scenario rather than a script. */
export const isScenario = (text: string): boolean =>
  text.split(/\r?\n/).some((line) => SECTION.test(line));

/** Throws ScriptError. */
export function readScenario(text: string): Scenario {
  const { head, sections } = split(text);
  const [title = "", ...story] = head.map((line) => line.text);
  if (title.trim() === "") throw error(1, 1, "the first line is the scenario's title");
  const steps = sections.flatMap((section, i) => readStep(section, sections[i + 1]));
  const [first] = sections;
  if (first?.name === "expect") throw error(first.start - 1, 1, "expect stands behind send");
  return { title: title.trim(), story: story.join("\n").trim(), steps };
}

function split(text: string): { head: Line[]; sections: Section[] } {
  const head: Line[] = [];
  const sections: Section[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const name = SECTION.exec(line)?.[1] as SectionName | undefined;
    if (name === undefined) (sections.at(-1)?.lines ?? head).push({ number: i + 1, text: line });
    else if (!SECTIONS.includes(name))
      throw error(i + 1, 4, `"${name}"? A section is one of ${SECTIONS.join(", ")}`);
    else sections.push({ name, start: i + 2, lines: [] });
  }
  return { head, sections };
}

function readStep(section: Section, next: Section | undefined): Step[] {
  const { name, start, lines } = section;
  if (name === "expect") return [];
  if (name !== "send") {
    if (next?.name === "expect") throw error(next.start - 1, 1, "expect stands behind send");
    const text = lines.map((line) => line.text).join("\n");
    return [{ kind: name, place: { line: start, column: 1 }, text }];
  }
  if (next?.name !== "expect") throw error(start - 1, 1, "behind send stands expect");
  const sends = written(lines).map(readSend);
  const expectations = written(next.lines).map(({ number, text }) => {
    const place = { line: number, column: columnOf(text) };
    const found = readExpectation(text.trim(), place);
    if (typeof found === "string") throw new ScriptError(place, found);
    return found;
  });
  if (sends.length === 0) throw error(start - 1, 1, "nothing is sent here");
  if (expectations.length === 0) throw error(next.start - 1, 1, "nothing is expected here");
  return [{ kind: "trial", sends, expectations }];
}

const written = (lines: readonly Line[]): Line[] =>
  lines.filter(({ text }) => text.trim() !== "" && !text.trim().startsWith("#"));

function readSend({ number, text }: Line): Send {
  const [, where, device, words] = /^\s*([^\s:/]+)(?:\/([^\s:/]+))?: +(\S.*?)\s*$/.exec(text) ?? [];
  const place = { line: number, column: columnOf(text) };
  if (where === undefined || words === undefined)
    throw new ScriptError(place, "a line of send is NETNS: COMMAND or NETNS/DEVICE: FRAME");
  if (device !== undefined) check(words, { line: number, column: text.indexOf(words) + 1 });
  return { place, text: text.trim(), netns: where, device, words };
}

function check(words: string, place: Place): void {
  try {
    readFrame(words);
  } catch (reason) {
    if (!(reason instanceof FrameWordsError)) throw reason;
    throw new ScriptError(place, reason.message);
  }
}

const columnOf = (text: string): number => text.search(/\S/) + 1;

const error = (line: number, column: number, message: string): ScriptError =>
  new ScriptError({ line, column }, message);
