/**
 * `npm test [-- PATH…]`: makes this machine ready and runs every test, or those below the paths (`src/wire`).
 * `--all` runs those that take minutes on both engines, and breaks the compiler on purpose: half an hour.
 * `--fast` is for `npm run ok`: only what is pure, and nothing is installed.
 * Tests of pure code run side by side, those that make namespaces and devices some at a time: each has a sandbox of
 * its own, and most of them wait. Those that measure time run alone. One report, one set of totals at its end.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { compose, Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import {
  build,
  checkNode,
  finishWith,
  installPackages,
  installTools,
  root,
  SetupError,
} from "./setup.mjs";
import { Totals } from "./totals.mjs";

/** By the program that tests call. */
const TOOLS = {
  ip: "iproute2",
  nft: "nftables",
  ping: "iputils-ping",
  arping: "iputils-arping",
  tshark: "tshark",
  conntrack: "conntrack",
  ethtool: "ethtool",
  iperf3: "iperf3",
  dumpcap: "wireshark-common",
  mandoc: "mandoc",
  zsh: "zsh",
  fish: "fish",
  dockerd: "docker.io",
  podman: "podman",
  "/usr/lib/cni/host-local": "containernetworking-plugins",
  busybox: "busybox-static",
  dnsmasq: "dnsmasq-base",
};
/** Installed apart: where Debian's name for it is nobody's, the others are installed nevertheless. */
const BROWSER = { chromium: "chromium" };
const PURE = [
  "src/wire/",
  "src/driver/",
  "src/bpf/",
  "src/sim/",
  "src/web/",
  "src/words/",
  "src/cli/",
  "examples/",
  "test/layering",
];
/** They measure, or need the whole machine. */
const ALONE = [
  "bench/",
  "test/hostile-addresses",
  "test/hostile-load",
  "test/compiler/",
  "test/equality/",
];
/** Others that make namespaces, at a time: most of what they do is to wait. */
const AT_A_TIME = 5;
/** Of those, the ones that take minutes come first, so that none of them is waited for alone in the end. */
const LONG = [
  "control",
  "ebpf-",
  "killed",
  "events",
  "refusals",
  "gso",
  "masters",
  "hostile",
  "parity",
];
/** Of one file, with both engines; the longest takes half of that where others keep the machine busy. */
const TIMEOUT_MS = 900_000;

await finishWith(async () => {
  checkNode();
  const words = process.argv.slice(2);
  if (words[0] === "--fast") return test(PURE);
  if (words[0] === "--all") process.env.IPVLAN_TEST_ALL = words.shift(); // read by test/in-sandbox.ts
  const missing = [...installTools(TOOLS), ...installTools(BROWSER)];
  if (missing.length > 0)
    console.log(`Not installed, tests that need them are skipped: ${missing.join(" ")}`);
  installPackages();
  build();
  return test(words);
});

async function test(paths) {
  const files = testFiles(paths);
  if (files.length === 0) throw new SetupError(`No tests below ${paths.join(" ")}`);
  const isBelow = (paths) => (file) => paths.some((path) => file.startsWith(path));
  const pure = files.filter(isBelow(PURE));
  const alone = files.filter(isBelow(ALONE));
  const isLong = isBelow(LONG.map((name) => `test/${name}`));
  const others = files
    .filter((file) => !pure.includes(file) && !alone.includes(file))
    .sort((a, b) => Number(isLong(b)) - Number(isLong(a)));
  // Read by the processes of the tests.
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ""} --enable-source-maps`.trim();
  const totals = new Totals();
  const events = Readable.from(
    (async function* () {
      if (pure.length > 0) yield* totals.withhold(runFiles(pure, true));
      if (others.length > 0) yield* totals.withhold(runFiles(others, AT_A_TIME));
      if (alone.length > 0) yield* totals.withhold(runFiles(alone, false));
      yield* totals.events();
    })(),
  );
  const report = compose(events, new spec());
  report.pipe(process.stdout);
  await finished(report, { writable: false });
  return totals.failed ? 1 : 0;
}

function testFiles(paths) {
  return readdirSync(join(root, "dist"), { recursive: true })
    .filter((file) => file.endsWith(".test.js"))
    .filter((file) => paths.length === 0 || paths.some((path) => file.startsWith(path)))
    .sort();
}

function runFiles(files, concurrency) {
  const paths = files.map((file) => join(root, "dist", file));
  return run({ files: paths, concurrency, timeout: TIMEOUT_MS });
}
