/** The man page names everything that people can type, set or be told, and is well formed. `docs.test.ts` runs its examples. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { usages } from "../src/cli/usage.ts";
import { STATUS_SERVED } from "../src/client/start-daemon.ts";
import { compats, flags, modes } from "../src/driver/settings.ts";
import { reasons } from "../src/driver/statistics.ts";
import { STATUS_FAILED, STATUS_REFUSED, STATUS_USAGE } from "../src/words/errors.ts";

const ROOT = path.dirname(path.resolve(fileURLToPath(new URL("..", import.meta.url))));
const PAGE = path.join(ROOT, "man/ipvlan.8");
const TEXT = read("man/ipvlan.8");

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), "utf8");
}

test("every word and option of the help is in the man page", () => {
  const grammar = Object.values(usages)
    .flatMap((usage) => usage.split("\n"))
    .filter((line) => /^(Usage:)? +(ipvlan|\[)/.test(line))
    .join("\n");
  const words = new Set(grammar.replace(/^Usage:/gm, "").match(/(?<![\w-])-{0,2}[a-z]+\b/g));
  const shown = TEXT.replace(/\bFl Fl (?=\w)/g, "--").replace(/\bFl (?=\w)/g, "-");
  assert.ok(words.size > 25);
  assert.deepEqual(
    [...words].filter((word) => !hasWord(shown, word)),
    [],
  );
});

test("every option that may be shortened is in the man page", () => {
  const options = Array.from(usages.all.matchAll(/-(\w+)\[(\w+)\]/g));
  const missing = options.filter(
    ([, short, rest]) => !new RegExp(`Fl ${short} Ns O[op] Cm ${rest}\\b`).test(TEXT),
  );
  assert.ok(options.length >= 6);
  assert.deepEqual(missing, []);
});

test("every mode, flag, compat setting and reason of a drop is in the man page", () => {
  const words = [modes, flags, compats].flatMap((words) => Object.keys(words));
  const items = [...words, ...reasons.slice(1)];
  assert.deepEqual(
    items.filter((item) => !new RegExp(`(\\bCm|[|,]) ${item}\\b`).test(TEXT)),
    [],
  );
});

test("every exit status of ours is in the man page", () => {
  const statuses = [STATUS_FAILED, STATUS_REFUSED, STATUS_SERVED, STATUS_USAGE];
  assert.deepEqual(
    statuses.filter((status) => !hasItem(String(status))),
    [],
  );
});

test("every difference from Linux is in the man page", () => {
  const numbers = Array.from(
    read("docs/parity.md").matchAll(/^\| (D\d+) \|/gm),
    ([, name]) => name!,
  );
  assert.ok(numbers.length >= 13);
  assert.deepEqual(
    numbers.filter((number) => !hasItem(`\\&${number}`)),
    [],
  );
});

test("every environment variable that the code reads is in the man page, and no other", () => {
  const sources = readdirSync(path.join(ROOT, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => read(path.join("src", file)));
  const isRead = new Set(sources.flatMap(variablesIn));
  const shown = section("ENVIRONMENT").matchAll(/^\.It Ev (.*)$/gm);
  const names = Array.from(shown, ([, words]) => words!.split(" , ")).flat();
  assert.deepEqual(names.sort(), [...isRead].sort());
});

function variablesIn(source: string): string[] {
  const single = Array.from(source.matchAll(/\benv\.([A-Z_]+)/g), ([, name]) => name!);
  const several = Array.from(source.matchAll(/\{([A-Z_, ]+)\} = process\.env/g), ([, names]) =>
    names!.trim().split(/, /),
  );
  return [...single, ...several.flat()];
}

for (const [program, words] of [
  ["mandoc", ["-Tlint"]],
  ["groff", ["-mandoc", "-ww", "-z", "-Tutf8"]],
] as const)
  test(`the man page is well formed, says ${program}`, (t) => {
    const { error, stdout, stderr } = spawnSync(program, [...words, PAGE], { encoding: "utf8" });
    if (error !== undefined) return t.skip(`needs the program ${program}`);
    // What other pages this machine has is no matter.
    const others = /referenced manual not found|mandoc\.db/;
    const said = `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
    assert.deepEqual(
      said.filter((line) => !others.test(line)),
      [],
    );
  });

function hasWord(text: string, word: string): boolean {
  return new RegExp(`(?<![\\w-])${word}(?![\\w-])`).test(text);
}

function hasItem(item: string): boolean {
  return TEXT.split("\n").includes(`.It ${item}`);
}

function section(title: string): string {
  return TEXT.split(/^\.Sh /m).find((one) => one.startsWith(title)) ?? "";
}
