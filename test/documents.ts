/**
 * The documents, and what they tell people to type. A console block behind a mark is run, line for line, and must print
 * what it shows. `…` in that stands for anything, a line of nothing else for any lines:
 *
 *     <!-- run -->                  at the root of the repository
 *     <!-- run in a sandbox -->     as root of a host with an eth0 (scripts/lab.ts)
 *     <!-- run with podman -->      the same with podman (test/podman)
 *     <!-- run with containerd -->  the same with containerd (test/containerd)
 *     <!-- run with docker -->      the same with dockerd and the driver running (test/docker)
 *
 * The man page shows lines without what they print, behind the same mark in a comment of its own.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { BIN } from "../scripts/lab.ts";

/** Where this was compiled to: `dist` to the documents. */
const BUILD = fileURLToPath(new URL("..", import.meta.url));
export const ROOT: string = path.dirname(path.resolve(BUILD));

export interface Document {
  readonly file: string;
  readonly text: string;
  /** Without what stands in fences and backticks, where nothing is a link. */
  readonly prose: string;
}

export const FENCE: RegExp = /^```.*?^```$/gms;

export const DOCUMENTS: readonly Document[] = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "docs/architecture.md",
  "docs/cni.md",
  "docs/compiler.md",
  "docs/containerd.md",
  "docs/docker.md",
  "docs/kubernetes.md",
  "docs/options.md",
  "docs/parity.md",
  "docs/podman.md",
  "docs/rules.md",
  "docs/scenarios.md",
  "docs/simulator.md",
  "docs/troubleshooting.md",
].map((file) => {
  const text = readFileSync(path.join(ROOT, file), "utf8");
  return { file, text, prose: text.replace(FENCE, "").replace(/`[^`\n]*`/g, "") };
});

/** The man page's examples, as the other documents have theirs. */
const MAN_PAGE = {
  file: "man/ipvlan.8",
  text: read("man/ipvlan.8")
    .replace(/^\.\\" (run[^\n]*)\n\.Bd[^\n]*\n(.*?)^\.Ed$/gms, "<!-- $1 -->\n```console\n$2```")
    .replace(/^# .*/gm, "$&\n…")
    .replaceAll("\\e", "\\"),
};

export function read(file: string): string {
  return readFileSync(path.join(ROOT, file), "utf8");
}

/** A test for each block behind the mark. What a line exports is there for the block's next ones. */
export function testTranscripts(mark: string): void {
  for (const { title, lines } of transcripts(mark))
    test(`${title}: prints what it shows`, () => {
      let before = "";
      for (const { command, shown } of lines) {
        assert.match(run(before + command), pattern(shown), command);
        if (command.startsWith("export ")) before += `${command}\n`;
      }
    });
}

interface Transcript {
  readonly title: string;
  readonly lines: readonly { readonly command: string; readonly shown: string }[];
}

function transcripts(mark: string): Transcript[] {
  const block = new RegExp(`<!-- ${mark} -->\\n\`\`\`console\\n(.*?)^\`\`\`$`, "gms");
  return [...DOCUMENTS, MAN_PAGE].flatMap(({ file, text }) =>
    Array.from(text.matchAll(block), ([, body]) => {
      const lines = body!
        .split(/^[$#] /m)
        .slice(1)
        .map(takeApart);
      return { title: `${file}: ${lines[0]!.command}`, lines };
    }),
  );
}

function takeApart(text: string): { command: string; shown: string } {
  const end = text.indexOf("\n");
  return { command: text.slice(0, end), shown: text.slice(end + 1) };
}

function pattern(shown: string): RegExp {
  const escaped = shown.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replace(/^…\n/gm, "(?:.*\\n)*").replaceAll("…", ".*")}$`);
}

/** What a line of shell prints; it fails the test when it fails. */
function run(command: string): string {
  const here = command.replaceAll(/(?<!\w)dist\//g, path.relative(ROOT, BUILD) + path.sep);
  const PATH = `${BIN}:${process.env.PATH}:/usr/sbin:/sbin`;
  const options = { cwd: ROOT, env: { ...process.env, PATH }, encoding: "utf8" } as const;
  return execFileSync("sh", ["-ec", here], options);
}
