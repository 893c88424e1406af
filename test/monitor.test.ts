/** `monitor` on real devices: the recording's events of a slave, and what is not a slave's. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { buildLan, shell, spawnAt } from "../scripts/lab.ts";
import { becomes, buildGround, clearGround, type } from "./control/ground.ts";
import { readCases } from "./control/recording.ts";
import { inSandbox } from "./in-sandbox.ts";
import { SYSTEM_IP } from "./slaves.ts";

await inSandbox(import.meta.url, { needs: ["nft"], engines: "both", usually: "ebpf" }, () => {
  before(async () => {
    await buildLan(); // for the names of our command
    await shell("host", `${SYSTEM_IP} link del eth0; ${SYSTEM_IP} netns del lan`);
    await buildGround();
  });
  after(clearGround);

  test("recorded: each state of a slave is told, as of ipvlan, in the recording's order", async () => {
    const { steps } = readCases().find(({ id }) => id === "monitor")!;
    const recorded = steps.map((step) => ("monitor" in step ? step.monitor! : "")).join("");
    // From l3 to l3s nothing about a veth changes, so the kernel tells of nothing (D8).
    const states = statesIn(recorded).filter(
      (state) => !state.includes(" 1500 02:00:00:00:00:02 l3s "),
    );
    const monitor = await watch("ip -d monitor link");
    try {
      for (const [number, count] of STATES_AFTER) {
        const step = steps[number]!;
        assert.ok("cmd" in step);
        assert.equal((await type("host", step.cmd)).status, 0);
        const expected = states.slice(0, count);
        const isTold = () => areWithin(expected, statesIn(monitor.told()));
        assert.ok(await becomes(isTold), `${step.cmd}: ${expected.at(-1)}\n${monitor.told()}`);
      }
      assert.doesNotMatch(monitor.told(), /ipvlup|s\d+\.\d+@/);
    } finally {
      await monitor.end();
    }
  });

  test("other devices are told as the system tells them", async () => {
    await shell("host", "ip link add link eth0 i1 type ipvlan"); // so that there is somebody to ask
    const [ours, system] = await Promise.all([
      watch("ip -d monitor link addr"),
      watch(`${SYSTEM_IP} -d monitor link addr`),
    ]);
    try {
      await shell(
        "host",
        `${SYSTEM_IP} link add v0 type veth peer name v1 netns ns2
         ${SYSTEM_IP} addr add 10.9.0.1/24 dev v0
         ${SYSTEM_IP} link set v0 alias "i0@if7: veth"
         ${SYSTEM_IP} link del v0`,
      );
      // One of them may have begun in time to hear what ended before: an address of w0 is no longer tentative.
      const sinceV0 = (told: string) => told.slice(told.search(/^\d+: v0/m));
      const isTold = () =>
        system.told().includes("Deleted") && sinceV0(ours.told()) === sinceV0(system.told());
      assert.ok(await becomes(isTold), `${system.told()}\n${ours.told()}`);
    } finally {
      await Promise.all([ours.end(), system.end()]);
    }
  });

  test("it ends when nobody reads it any more, and with the signal that it gets", async () => {
    const shown = await shell(
      "host",
      "while sleep 0.5; do ip link set w0 alias x$((n+=1)); done & ip monitor link | head -1; kill $!",
    );
    assert.match(shown, /^\d+: /);
    const monitor = await watch("ip monitor link");
    assert.equal(await monitor.end(), "SIGTERM");
  });
});

/** By the number of the step: how many of the recorded states have been told then. */
const STATES_AFTER = [
  [0, 1],
  [1, 2],
  [2, 3],
  [3, 3],
  [4, 3],
  [5, 4],
  [6, 6],
] as const;

const BLOCK =
  /^(Deleted )?\d+: i0@eth0: <(\S+)> mtu (\d+) .*\n +link\/ether (\S+) .*\n +ipvlan {2}mode (\S+ \S+) /gm;

/** What is told of i0, each state once as long as it lasts. */
function statesIn(told: string): string[] {
  const states = [...told.matchAll(BLOCK)].map(([, gone, flags, mtu, mac, settings]) =>
    [gone ?? "", flags!.split(",").includes("UP") ? "up" : "down", mtu, mac, settings].join(" "),
  );
  return states.filter((state, i) => state !== states[i - 1]);
}

/** In this order, with others between them. */
function areWithin(expected: readonly string[], seen: readonly string[]): boolean {
  let at = 0;
  for (const state of seen) if (state === expected[at]) at++;
  return at === expected.length;
}

interface Monitor {
  told(): string;
  end(): Promise<NodeJS.Signals | number | null>;
}

/** What comes of it, for whoever listens already. */
const PROBE = /^1: lo: .*\n(?: .*\n)*? +alias probe\d\n/gm;

/** Returns when it listens: an event of our own making has come. */
async function watch(line: string): Promise<Monitor> {
  const child = spawnAt("host", line.split(" "));
  let told = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  const ended = new Promise<NodeJS.Signals | number | null>((resolve) =>
    child.on("close", (code, signal) => resolve(signal ?? code)),
  );
  let count = 0;
  const listens = async () => {
    await shell("host", `${SYSTEM_IP} link set lo alias probe${count++ % 2}`);
    return told !== "";
  };
  assert.ok(await becomes(listens), `${line} does not listen`);
  return {
    told: () => told.replace(PROBE, ""),
    end: () => {
      child.kill("SIGTERM");
      return ended;
    },
  };
}
