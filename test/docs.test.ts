/** The documents say what is so: what they link to and name exists, and what they tell people to type is run. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { buildLan, shell } from "../scripts/lab.ts";
import { insideSandbox } from "../scripts/sandbox.ts";
import { DOCUMENTS, type Document, FENCE, ROOT, read, testTranscripts } from "./documents.ts";
import { inSandbox } from "./in-sandbox.ts";

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

  testTranscripts("run");
}

await inSandbox(import.meta.url, { needs: ["ping", "/usr/lib/cni/host-local"] }, async () => {
  await shell("host", "mount -t tmpfs -o mode=755 tmpfs /var/lib"); // the CNI plugin and host-local write there
  await buildLan();
  testTranscripts("run in a sandbox");
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
