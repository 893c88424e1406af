/**
 * `npm run parity -- [--engine model|userspace|ebpf] [--compat kernel|howto] FILE`: does our driver do what a
 * recorded one did? Prints each case in which it does not, then counts; exit status 1 if there is any.
 */
import { parseArgs } from "node:util";
import { type Compat, compats } from "../../src/driver/settings.ts";
import { type Lab, labOf } from "./lab.ts";
import { ModelEngine } from "./model.ts";
import { type Case, RecordingError, readRecording } from "./recording.ts";
import { type Engine, replay } from "./replay.ts";
import { Report } from "./report.ts";
import { isInSandbox, runInSandbox, SandboxError } from "./sandbox.ts";

const USAGE =
  "usage: npm run parity -- [--engine model|userspace|ebpf] [--compat kernel|howto] FILE";
const ENGINES = ["model", "userspace", "ebpf"] as const;

/** Said to a person as it is, without a stack. */
class UsageError extends Error {}

interface Options {
  readonly engine: (typeof ENGINES)[number];
  readonly compat: Compat;
  readonly file: string;
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  const recording = readRecording(options.file);
  const lab = labOf(recording.topology);
  const report = new Report(lab);
  if (options.engine !== "model" && !isInSandbox()) return runInSandbox();
  const engine = await openEngine(options, lab, recording.cases);
  for await (const result of replay(lab, recording.cases, engine, options.compat))
    report.add(result);
  engine.close();
  report.summarize();
  return report.isClean ? 0 : 1;
}

/** What needs a kernel is loaded only when it is asked for. */
async function openEngine(
  { engine, compat }: Options,
  lab: Lab,
  cases: readonly Case[],
): Promise<Engine> {
  if (engine === "model") return new ModelEngine(lab, compat);
  const { RealEngine } = await import("./real-engine.ts");
  process.env.IPVLAN_ENGINE = engine;
  return RealEngine.start(lab, cases, compat);
}

function parseOptions(args: readonly string[]): Options {
  let parsed: ReturnType<typeof parseWords>;
  try {
    parsed = parseWords(args);
  } catch (error) {
    const [what] = (error as Error).message.split(". ");
    throw new UsageError(`${what}; ${USAGE}`);
  }
  const [file, ...more] = parsed.positionals;
  if (file === undefined || more.length > 0) throw new UsageError(USAGE);
  return {
    engine: oneOf(ENGINES, "engine", parsed.values.engine),
    compat: oneOf(Object.keys(compats) as Compat[], "compat", parsed.values.compat),
    file,
  };
}

const parseWords = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      engine: { type: "string", default: "model" },
      compat: { type: "string", default: "howto" },
    },
  });

function oneOf<T extends string>(allowed: readonly T[], option: string, word: string): T {
  const found = allowed.find((a) => a === word);
  if (found === undefined)
    throw new UsageError(`--${option} ${word}? Expected ${allowed.join(" or ")}`);
  return found;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof UsageError;
  if (!isUsage && !(error instanceof RecordingError) && !(error instanceof SandboxError))
    throw error;
  console.error(error.message);
  process.exitCode = isUsage ? 2 : 1;
}
