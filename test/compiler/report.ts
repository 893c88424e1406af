/** What came of random programs, for people. */
import type { Finding, Tally } from "./fuzz.ts";

export function describe(tally: Tally): string {
  const { programs, instructions, runs, kernelRuns, refused, findings } = tally;
  const mean = Math.round(instructions / Math.max(1, programs));
  const lines = [
    `${programs} programs of ${mean} instructions on the average, ${runs} frames, ${kernelRuns} of them in the kernel, too`,
    ...[...refused].sort((a, b) => b[1] - a[1]).map(([why, times]) => `refused ${times}: ${why}`),
    `${findings.length} findings`,
  ];
  return [...lines, ...findings.map(describeFinding)].join("\n");
}

function describeFinding({ seed, program, what }: Finding): string {
  const files = Object.entries(program.files);
  const texts = files.map(([name, text]) => `// ${name}\n${indented(text)}`);
  return `\nseed ${seed}: ${what}\n${texts.join("")}`;
}

function indented(text: string): string {
  let depth = 0;
  const lines = text.split("\n").map((line) => {
    if (line.startsWith("}")) depth--;
    const result = "  ".repeat(Math.max(0, depth)) + line;
    if (line.endsWith("{")) depth++;
    return result;
  });
  return lines.join("\n");
}
