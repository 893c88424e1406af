/** docs/scenarios.md: every scenario, as its file has it. */
import { readdirSync, readFileSync } from "node:fs";
import { readScenario } from "../src/sim/scenario/scenario.ts";

export const FOLDER = "scenarios";

/** Names of the files, in order. */
export const files = (): string[] =>
  readdirSync(FOLDER)
    .filter((file) => file.endsWith(".txt"))
    .sort();

/** Chapters, and how the titles of their scenarios begin. */
const CHAPTERS: Readonly<Record<string, RegExp>> = {
  "What people meet": /^(?!(l2|l3|l3s|private|vepa|compat)\b|(L2|L3|R)\.)/,
  Modes: /^(l2|l3|l3s)\b/,
  Flags: /^(private|vepa|compat)\b/,
  "Rules, one by one": /^(L2|L3|R)\./,
};

export function page(): string {
  const all = files().map((file) => {
    const text = readFileSync(`${FOLDER}/${file}`, "utf8");
    const { title, story } = readScenario(text);
    return { file, title, story, sections: text.slice(text.indexOf("\n-- ") + 1).trimEnd() };
  });
  const chapters = Object.entries(CHAPTERS).map(([chapter, begin]) => {
    const its = all.filter(({ title }) => begin.test(title));
    const contents = its.map(({ file, title }) => `- [${title}](#${anchorOf(title)}), \`${file}\``);
    const scenarios = its.map(
      ({ file, title, story, sections }) =>
        `### ${title}\n\n${story}\n\n[${file}](../${FOLDER}/${file})\n\n\`\`\`text\n${sections}\n\`\`\`\n`,
    );
    return `## ${chapter}\n\n${contents.join("\n")}\n\n${scenarios.join("\n")}`;
  });
  return `${HEAD}\n${chapters.join("\n")}`;
}

/** As GitHub makes it. */
const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} -]/gu, "")
    .replaceAll(" ", "-");

const HEAD = `# Scenarios

What goes wrong with ipvlan, and what helps; and each rule of a port at work. Every scenario runs on the simulated host and, by
the same file, on real devices with each engine (\`test/scenarios.test.ts\`) and in the
[playground](simulator.md#the-playground), where they are to be watched. [How they are written](simulator.md#scenarios). To see one at work, and why:

<!-- run -->
\`\`\`console
$ node dist/src/cli/main.js sim scenarios/private-siblings.txt
private: slaves do not reach each other

ns0: ping -c 1 -W 2 10.0.0.1
  ok  answered
…
\`\`\`
`;
