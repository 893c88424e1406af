/**
 * The documents say what is so: what they link to and name exists, and what they tell people to type does what
 * they show.
 *
 * A console block behind a mark is run, line for line. `…` in what it shows stands for anything, a line of
 * nothing else for any lines:
 *
 *     <!-- run -->                  at the root of the repository
 *     <!-- run in a sandbox -->     as root of a host with an eth0 (scripts/lab.ts)
 *
 * The man page shows lines without what they print, behind the same mark in a comment of its own.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { BIN, buildLan } from "../scripts/lab.ts";
import { insideSandbox } from "../scripts/sandbox.ts";
import { inSandbox } from "./in-sandbox.ts";

/** Where this was compiled to: `dist` to the documents. */
const BUILD = fileURLToPath(new URL("..", import.meta.url));
const ROOT = path.dirname(path.resolve(BUILD));

interface Document {
  readonly file: string;
  readonly text: string;
  /** Without what stands in fences and backticks, where nothing is a link. */
  readonly prose: string;
}

const FENCE = /^```.*?^```$/gms;

const DOCUMENTS: readonly Document[] = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "docs/architecture.md",
  "docs/cni.md",
  "docs/compiler.md",
  "docs/kubernetes.md",
  "docs/options.md",
  "docs/parity.md",
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

if (!insideSandbox()) {
  for (const document of DOCUMENTS)
    describe(document.file, () => {
      test("links lead somewhere", () => {
        assert.deepEqual(
          links(document).filter((link) => !leadsSomewhere(document, link)),
          [],
        );
      });
      test("words in brackets have their link", () => {
        assert.deepEqual(undefinedReferences(document), []);
      });
      test("files it names exist", () => {
        const missing = namedFiles(document.text).filter(
          (name) => !existsSync(path.join(ROOT, name)),
        );
        assert.deepEqual(missing, []);
      });
      test("constants it lists are in the file beside them", () => {
        const wrong = listedConstants(document.text).filter(
          ({ name, file }) => !new RegExp(`\\b${name}\\b.* = `).test(read(file)),
        );
        assert.deepEqual(wrong, []);
      });
    });

  test("docs/troubleshooting.md: every message of ours is in the code", () => {
    const sources = readdirSync(path.join(ROOT, "src"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
      .map((file) => read(path.join("src", file)));
    const chapter = read("docs/troubleshooting.md").split(/^## /m)[2]!;
    const messages = Array.from(chapter.matchAll(/^### `(.*)`$/gm), ([, message]) => message!);
    const unknown = messages.filter((message) => {
      const fixed = message
        .replace(/^(ipvlan|Error): /, "") // who says it, and the full stop, are put there for all
        .replace(/\.$/, "")
        .replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      const inCode = new RegExp(fixed.replaceAll("…", "\\$\\{.*\\}"));
      return !sources.some((source) => inCode.test(source));
    });
    assert.ok(messages.length >= 15);
    assert.deepEqual(unknown, []);
  });

  for (const { title, lines } of transcripts("run"))
    test(`${title}: prints what it shows`, () => {
      for (const { command, shown } of lines) assert.match(run(command), pattern(shown), command);
    });
}

await inSandbox(import.meta.url, { needs: ["ping", "/usr/lib/cni/host-local"] }, async () => {
  run("mount -t tmpfs -o mode=755 tmpfs /var/lib"); // the CNI plugin and host-local write there
  await buildLan();
  for (const { title, lines } of transcripts("run in a sandbox"))
    test(`${title}: prints what it shows`, () => {
      let before = "";
      for (const { command, shown } of lines) {
        assert.match(run(before + command), pattern(shown), command);
        if (command.startsWith("export ")) before += `${command}\n`;
      }
    });
});

// Links

/** Targets within the repository. */
function links({ prose }: Document): string[] {
  const inline = Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), ([, target]) => target!);
  const references = Array.from(prose.matchAll(/^\[[^\]]+\]: (\S+)$/gm), ([, target]) => target!);
  return [...inline, ...references].filter((target) => !target.startsWith("https://"));
}

function leadsSomewhere({ file }: Document, link: string): boolean {
  const [target = "", anchor] = link.split("#");
  const found = target === "" ? file : path.join(path.dirname(file), target);
  if (!existsSync(path.join(ROOT, found))) return false;
  return anchor === undefined || anchors(read(found)).includes(anchor);
}

/** As GitHub makes them of headings. */
function anchors(text: string): string[] {
  return Array.from(text.replace(FENCE, "").matchAll(/^#+ (.+)$/gm), ([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} -]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function undefinedReferences({ prose }: Document): string[] {
  const defined = new Set(Array.from(prose.matchAll(/^\[([^\]]+)\]:/gm), ([, name]) => name!));
  const used = Array.from(prose.matchAll(/\[([^\]\n]+)\](?![(:[])/g), ([, name]) => name!);
  return used.filter((name) => !defined.has(name));
}

// Names

/** Paths in backticks; what is built is looked for where it is built from. */
function namedFiles(text: string): string[] {
  const names = text.matchAll(
    /`(?:dist\/)?((?:src|test|scripts|examples|docs|man|completions|packaging|deploy)\/[\w./-]+)`/g,
  );
  return [...new Set(Array.from(names, ([, name]) => name!.replace(/\.js$/, ".ts")))];
}

/** Rows that begin with names in capitals and end with a file. */
function listedConstants(text: string): { name: string; file: string }[] {
  const rows = text.matchAll(/^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|.*\| `(src\/\S+)` \|$/gm);
  return Array.from(rows).flatMap(([, names, file]) =>
    Array.from(names!.matchAll(/[A-Z_]+/g), ([name]) => ({ name, file: file! })),
  );
}

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), "utf8");
}

// Transcripts

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
