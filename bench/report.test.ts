import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { COLOURS } from "./chart.ts";
import { describeMachine } from "./machine.ts";
import { drawMarkdown, drawText, type Results, writeResults } from "./report.ts";

const spread = { min: 0.5, median: 0.9, max: 1.25, rounds: 7 };
const results: Results = {
  measuredOn: describeMachine(),
  rounds: 7,
  seconds: 1,
  slaves: 1000,
  rows: [
    {
      name: "tcp: slave to slave",
      group: "throughput",
      to: "plain veth",
      better: "more",
      ratios: { macvlan: spread, ebpf: { ...spread, median: 1 } },
      targets: { ebpf: { atLeast: 0.95 }, userspace: { atLeast: 0.9 } },
    },
    {
      name: "ping-pong: slave to slave, median",
      group: "latency",
      to: "plain veth",
      better: "less",
      ratios: { ebpf: spread, vde2: { ...spread, max: 30 } },
      targets: { ebpf: { atMost: 0.8 } },
    },
  ],
  missing: [
    { trial: "tcp", who: "vde2", round: 1, reason: "vde_switch is not installed", notHere: true },
    { trial: "udp", who: "vde2", round: 1, reason: "vde_switch is not installed", notHere: true },
    { trial: "udp", who: "bridge", round: 2, reason: "no datagram arrives", notHere: false },
  ],
};

test("a row tells median, span, what 1 is, and which targets are reached", () => {
  const text = drawText(results);
  assert.match(
    text,
    /^tcp: slave to slave +0\.90 \(0\.50–1\.25\) +1\.00 .* plain veth +ebpf ≥ 0\.95: reached; userspace ≥ 0\.9$/m,
  );
  assert.match(text, /^ping-pong: .* ebpf ≤ 0\.8: missed$/m);
});

test("who is not here is told once, each failure with its round", () => {
  const lines = drawText(results).split("\n").slice(-2);
  assert.deepEqual(lines, [
    "Not here: vde_switch is not installed",
    "Failed in round 2: udp, bridge: no datagram arrives",
  ]);
});

test("the Markdown is tables, and says on what it was measured without naming the host", () => {
  const text = drawMarkdown(results);
  assert.match(text, /^\| tcp: slave to slave \| 0\.90 \(0\.50–1\.25\) \| 1\.00 /m);
  assert.match(text, new RegExp(`Node ${process.version}`));
  assert.ok(!text.includes(`${hostname()}\n`) && !text.includes(process.cwd()));
});

test("results are written as JSON, Markdown, and a picture for each group that has figures", (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "ipvlan-bench-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeResults(folder, results);
  const names = ["latency.svg", "latest.json", "latest.md", "throughput.svg"];
  assert.deepEqual(readdirSync(folder).sort(), names);
  assert.deepEqual(JSON.parse(readFileSync(path.join(folder, "latest.json"), "utf8")), results);
  const svg = readFileSync(path.join(folder, "latency.svg"), "utf8");
  for (const shown of ["ping-pong: slave to slave, median", "ipvlan, eBPF", "vde2", ">0.90<"])
    assert.ok(svg.includes(shown), `${shown} is in the picture`);
  assert.ok(!svg.includes("macvlan"), "who has no figure is not in the legend");
});

test("what the pictures draw can be read on a light ground and on a dark one", () => {
  const LEAST = 3; // WCAG 2.2, 1.4.11
  for (const [name, colour] of Object.entries(COLOURS))
    for (const ground of ["#ffffff", "#0d1117"])
      assert.ok(
        contrast(colour, ground) >= LEAST,
        `${name} on ${ground}: ${contrast(colour, ground)}`,
      );
});

/** WCAG 2.2, "contrast ratio". */
function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
