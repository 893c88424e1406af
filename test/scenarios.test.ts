/** Every scenario on real devices: the same file, commands, frames and expectations as on the simulated host. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { buildLan, netnsOf, shell } from "../scripts/lab.ts";
import { FOLDER, files } from "../scripts/scenarios.ts";
import { reasons } from "../src/driver/statistics.ts";
import { withNetns } from "../src/linux/netns.ts";
import { closeRing, openRing, PacketRing, type RingSocket, SLOT_LARGE } from "../src/linux/ring.ts";
import * as sys from "../src/linux/sys.ts";
import { devicesOf, judge, type Observed } from "../src/sim/scenario/expectation.ts";
import { readFrame } from "../src/sim/scenario/frame-words.ts";
import { since } from "../src/sim/scenario/run.ts";
import { readScenario, type Trial } from "../src/sim/scenario/scenario.ts";
import { Frame } from "../src/wire/frame.ts";
import { ports } from "./daemon.ts";
import { inSandbox } from "./in-sandbox.ts";
import { SYSTEM_IP } from "./slaves.ts";
import { Tap } from "./tap.ts";

/** Until a frame has passed that was on its way, and until what shall not come has not come. */
const PASS_MS = 300;
const PATIENCE_MS = 10_000;
const LOOK_MS = 50;

await inSandbox(
  import.meta.url,
  { engines: "both", usually: "ebpf", needs: ["ping", "nft"] },
  () => {
    before(buildLan);
    after(() => shell("host", "ipvlan daemon stop --remove"));
    for (const file of files()) {
      const text = readFileSync(`${FOLDER}/${file}`, "utf8");
      const scenario = readScenario(text);
      const isAboutIpv6 = /::/.test(text);
      test(`${file}: ${scenario.title}`, async () => {
        try {
          for (const step of scenario.steps) {
            if (step.kind === "trial") await tryOut(step);
            else {
              await shell("host", `${QUICK_IP}\n${step.text}`);
              if (isAboutIpv6) await settle();
            }
          }
        } finally {
          await clear();
        }
      });
    }
  },
);

/** What our command hands to the system's `ip` as it is goes there at once: it starts ten times as fast. */
const QUICK_IP = `ip() {
  case "$*" in
    *ipvlan* | *addr*) command ip "$@" ;;
    *) ${SYSTEM_IP} "$@" ;;
  esac
}`;

async function tryOut({ sends, expectations }: Trial): Promise<void> {
  const ends = await placesOf(devicesOf(expectations));
  const isCounted = expectations.some(({ kind }) => kind === "drops");
  const rings = await Promise.all(ends.map(([device, end]) => listen(end, device)));
  const taps = ends.map(([device], i) => [device, new PacketRing(rings[i]!)] as const);
  const seen = new Map<string, Frame[]>(taps.map(([device]) => [device, []]));
  const look = () => (isCounted ? dropsOf() : new Map<string, Record<string, number>>());
  const before = await look();
  const answers: Observed["answers"][number][] = [];
  for (const { netns, device, words } of sends)
    if (device === undefined) answers.push(await answerOf(netns, words));
    else send(netns, device, words);
  await sleep(PASS_MS);
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    for (const [device, tap] of taps) drain(tap, seen.get(device)!);
    const drops = new Map(
      Array.from(await look(), ([name, counts]) => [name, since(before.get(name), counts)]),
    );
    const wrong = expectations.flatMap((one) => {
      const instead = judge(one, { answers, seen, drops });
      return instead === undefined ? [] : [`line ${one.place.line}: ${one.text}, but ${instead}`];
    });
    if (wrong.length === 0 || performance.now() > deadline) {
      await Promise.all(rings.map((ring) => closeRing(ring)));
      assert.deepEqual(wrong, []);
      return;
    }
    await sleep(LOOK_MS);
  }
}

/** Hears what arrives, with VLAN tags where they were on the wire. */
function listen(end: string, device: string): Promise<RingSocket> {
  const netns = netnsOf(end);
  const index = withNetns(netns, () => sys.ifIndex(device));
  return withNetns(netns, () => openRing(index, SLOT_LARGE));
}

function drain(ring: PacketRing, into: Frame[]): void {
  for (const f = new Frame(); ring.next(f); ring.release()) into.push(Frame.of(f.view().slice()));
}

function send(end: string, device: string, words: string): void {
  const tap = new Tap(netnsOf(end), device, { hears: false });
  tap.send(readFrame(words).view());
  tap.close();
}

async function answerOf(end: string, line: string): Promise<Observed["answers"][number]> {
  try {
    return { status: 0, said: await shell(end, line) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, said: stdout + stderr };
  }
}

const namespaces = async (): Promise<string[]> =>
  (await shell("host", `${SYSTEM_IP} netns list | cut -d ' ' -f 1`)).split("\n").filter(Boolean);

/** Each device with the end where it is. */
async function placesOf(devices: readonly string[]): Promise<[string, string][]> {
  const ends = ["host", ...(await namespaces())];
  const listings = await Promise.all(
    ends.map((end) => shell(end, `${SYSTEM_IP} -brief link show`)),
  );
  return devices.map((device) => {
    const at = listings.findIndex((text) => new RegExp(`^${device}[@ ]`, "m").test(text));
    assert.ok(at >= 0, `there is no device ${device}`);
    return [device, ends[at]!];
  });
}

async function dropsOf(): Promise<Map<string, Readonly<Record<string, number>>>> {
  const drops = new Map<string, Readonly<Record<string, number>>>();
  for (const port of await ports()) {
    drops.set(port.master, port.drops);
    for (const { name, statistics } of port.slaves) drops.set(name, pickReasons(statistics));
  }
  return drops;
}

const pickReasons = (counts: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).filter(([name]) => reasons.includes(name)));

/** Until addresses are known to be nobody else's. */
async function settle(): Promise<void> {
  for (const end of ["host", ...(await namespaces())])
    await shell(
      end,
      `i=0; while [ -n "$(${SYSTEM_IP} -6 addr show tentative)" ] && [ $i -lt 100 ]; do sleep 0.05; i=$((i+1)); done`,
    );
}

/** Host and LAN as at the beginning. */
async function clear(): Promise<void> {
  await shell(
    "host",
    `for n in $(${SYSTEM_IP} netns list | cut -d ' ' -f 1); do ${SYSTEM_IP} netns del $n; done
     for d in $(${SYSTEM_IP} -o link show | cut -d : -f 2 | cut -d @ -f 1); do [ $d = lo ] || ${SYSTEM_IP} link del $d || true; done
     nft flush ruleset
     ${SYSTEM_IP} route flush table main; ${SYSTEM_IP} -6 route flush table main
     echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding`,
  );
  await buildLan();
}
