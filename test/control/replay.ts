/** One case of the recording, typed into our command; answers and devices must be the recorded ones. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { BIN, netnsOf, shell } from "../../scripts/lab.ts";
import { factsOf, rewriteJson } from "../../src/cli/rewrite.ts";
import { ControlFailure, Daemons } from "../../src/client/client.ts";
import { startDaemon } from "../../src/client/start-daemon.ts";
import type { ChangeLink, CreateLink } from "../../src/daemon/control.ts";
import { daemonDirectory } from "../../src/daemon/run-directory.ts";
import type { Compat } from "../../src/driver/settings.ts";
import { SYSTEM_IP } from "../slaves.ts";
import { findSettings, whyStepSkipped } from "./differences.ts";
import { type Answer, becomes, hostClient, takeStock, type } from "./ground.ts";
import {
  type Addressed,
  type Case,
  findRequest,
  type LinkShown,
  type Raw,
  type Shown,
  type Step,
  type Typed,
} from "./recording.ts";

/** `tell`: hears of every step that is left out. */
export async function replay(
  { id, steps }: Case,
  compat: Compat,
  tell: (text: string) => void,
): Promise<void> {
  let stock: string | undefined; // a refused step leaves it as it was
  for (const [number, step] of steps.entries()) {
    const skipped = whyStepSkipped(id, step, number);
    if (skipped !== undefined) {
      tell(`step ${number} is skipped: ${skipped}`);
      continue;
    }
    try {
      if (!("show" in step)) stock = isRefused(step) ? (stock ?? (await takeStock())) : undefined;
      if ("cmd" in step) await replayTyped(step, compat, stock);
      else if ("show" in step) await replayShown(step, findSettings(id, number, compat));
      else if ("addresses" in step) await replayAddressed(step);
      else if ("rtnetlink" in step) await replayRaw(step);
    } catch (error) {
      if (error instanceof Error) error.message = `step ${number}: ${error.message}`;
      throw error;
    }
  }
}

const isRefused = (step: Step): boolean => "cmd" in step && step.rc !== 0;

async function replayTyped(
  { ns, cmd, rc, err = "", out, json }: Typed,
  compat: Compat,
  before: string | undefined,
): Promise<void> {
  const answer = await type(ns, cmd);
  const stderr = answer.stderr.replace(TOUCHED, "");
  assert.deepEqual({ cmd, status: answer.status, stderr }, { cmd, status: rc, stderr: err });
  if (before !== undefined)
    assert.equal(await takeStock(), before, `${cmd}: something is left of it`);
  if (json !== undefined)
    assert.deepEqual(essence(JSON.parse(answer.stdout)[0]), essence(json[0]!));
  if (cmd === "ip -br link" && out !== undefined)
    assert.deepEqual(devicesIn(answer.stdout), devicesIn(out));
  if (cmd.startsWith("ip -d link show") && out !== undefined)
    assert.equal(withoutHardware(answer.stdout), withoutHardware(out));
  if (rc === 0 && compat === "kernel") await setCompat(cmd);
}

/** D8: index, queues, offloads and what follows from them are a veth's. D10: the kernel forms no address for it. */
const withoutHardware = (text: string): string =>
  text.replace(/^\d+:| (qdisc|state|addrgenmode|num[rt]xqueues|[gt][rs]o_\w+) \S+/g, "");

/** Our command tells who changes a port which slaves that touches (D7). */
const TOUCHED = /^mode \S+ \S+ now also for: .*\n/m;

/** A port is born as the HOWTO has it. */
async function setCompat(cmd: string): Promise<void> {
  if (!/^ip link add .*type ipvlan/.test(cmd)) return;
  for (const { master } of await hostClient().ports(netnsOf("host")))
    await hostClient().changePort({ netns: netnsOf("host"), master, compat: "kernel" });
}

async function replayShown(step: Shown, settings: string | undefined): Promise<void> {
  const { ns, show: device, rc, err = "", link } = step;
  const look = () => show(ns, device);
  if (link === undefined) {
    const { status, stderr } = await look();
    return assert.deepEqual([status, stderr], [rc, err]);
  }
  await assertBecomes(
    async () => {
      const { stdout } = await look();
      return stdout === "" ? undefined : essence(JSON.parse(stdout)[0]);
    },
    essence(link, settings),
  );
}

/** What `ip -d -j link show` says; the command's parts, since starting a Node for every look takes most of the time. */
async function show(ns: string, device: string): Promise<Answer> {
  const answer = await type(ns, `${SYSTEM_IP} -d -j link show ${device}`);
  if (answer.stdout === "") return answer;
  const daemons = new Daemons(ns === "host" ? netnsOf(ns) : `/run/netns/${ns}`);
  const links = (await daemons.homes()).map(({ link }) => link);
  return { ...answer, stdout: rewriteJson(answer.stdout, factsOf(links, [device]), false) };
}

/** What a device is to its user: not its queues and offloads. */
function essence({ ifname, link, flags, mtu, address, linkinfo }: LinkShown, settings?: string) {
  const isUp = flags.includes("UP");
  const isMaster = linkinfo?.info_kind === "veth";
  // M-DOWN compares with a device of the same namespace, where a veth has none. NOARP: D13. With the eBPF engine a master
  // takes all groups.
  const isCompared = (flag: string) =>
    flag !== "M-DOWN" && (isUp || flag !== "NOARP") && !(isMaster && flag === "ALLMULTI");
  return {
    name: ifname,
    link,
    flags: withArp(flags, settings).filter(isCompared).sort().join(),
    mtu,
    mac: /^02:00:00:00:00:/.test(address) ? address : "random",
    kind: linkinfo?.info_kind,
    ...(linkinfo?.info_data?.mode !== undefined && {
      settings: settings ?? settingsIn(linkinfo.info_data),
    }),
  };
}

/** Other settings than the recording's mean other flags. */
function withArp(flags: readonly string[], settings: string | undefined): readonly string[] {
  if (settings === undefined) return flags;
  const others = flags.filter((flag) => flag !== "NOARP");
  return settings.startsWith("l2 ") ? others : [...others, "NOARP"];
}

/** Linux shows the flag as a key. */
const settingsIn = ({ mode, ...flag }: Readonly<Record<string, unknown>>): string =>
  `${mode} ${Object.keys(flag)}`;

/** The devices of `ip -br link`; how a master in another namespace is numbered says nothing. */
const devicesIn = (brief: string): string[] =>
  brief
    .split("\n")
    .map((line) => line.replace(/ .*/, "").replace(/@if\d+$/, "@elsewhere"))
    .sort();

async function replayAddressed({ ns, addresses }: Addressed): Promise<void> {
  const slaves = Object.entries(addresses).filter(([device]) => /^i\d$/.test(device));
  // The daemon's link-local addresses are not probed for (D10).
  for (const [device, expected] of slaves)
    await assertBecomes(
      async () => addressesOf(ns, device),
      expected.map((address) => address.replace(" tentative", "")).sort(),
    );
}

interface AddressShown {
  readonly local: string;
  readonly prefixlen: number;
  readonly scope: string;
}

async function addressesOf(ns: string, device: string): Promise<string[]> {
  const [link] = JSON.parse(await shell(ns, `${SYSTEM_IP} -j addr show dev ${device}`));
  return (link.addr_info as AddressShown[])
    .map(({ local, prefixlen, scope }) => `${local}/${prefixlen} ${scope}`)
    .sort();
}

/** What `ip` will not send goes to the daemon by its socket, as far as JSON can say it. */
async function replayRaw({ rtnetlink, errno }: Raw): Promise<void> {
  const { verb, ...settings } = findRequest(rtnetlink)!;
  const netns = netnsOf("host");
  const client = await startDaemon(daemonDirectory(netns), netns, [
    `${BIN}/ipvlan`,
    "daemon",
    "run",
  ]);
  // What the recording left unsaid: it deletes between its creations.
  if (verb === "create") await client.deleteLink(netns, settings.name).catch(() => {});
  const before = errno === 0 ? "" : await takeStock();
  const asked =
    verb === "create"
      ? client.createLink({ netns, ...settings } as CreateLink)
      : client.changeLink({ netns, ...settings } as ChangeLink);
  const code = await asked.then(
    () => "",
    (error) => (error instanceof ControlFailure ? error.code : error),
  );
  assert.equal(code, CODES[errno], rtnetlink);
  if (errno !== 0) assert.equal(await takeStock(), before, `${rtnetlink}: something is left of it`);
}

const CODES: Readonly<Record<number, string>> = { 0: "", 22: "EINVAL" };

async function assertBecomes<T>(look: () => Promise<T>, expected: T): Promise<void> {
  let seen: T | undefined;
  await becomes(async () => {
    seen = await look();
    return isDeepStrictEqual(seen, expected);
  });
  assert.deepEqual(seen, expected);
}
