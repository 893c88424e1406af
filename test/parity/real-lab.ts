/**
 * The lab of a recording in real namespaces: made with the system's `ip`, the slaves with our command, as a
 * user would. Call it in a sandbox: names are the recording's, and nothing is taken away at the end.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Compat, Flag, Mode } from "../../src/driver/settings.ts";
import { withNetns } from "../../src/linux/netns.ts";
import { setSysctl } from "../../src/linux/sysctl.ts";
import { formatIp, formatMac, formatPrefix } from "../../src/wire/address.ts";
import { devicesOf, type Lab } from "./lab.ts";
import type { Device } from "./recording.ts";
import { SandboxError } from "./sandbox.ts";

/** The command of this project, beside which this file was built. */
const COMMAND = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

export function buildLab(lab: Lab): void {
  for (const { namespace } of devicesOf(lab)) makeNamespace(namespace);
  const { master, outside, slaves } = lab;
  ip(master.namespace, [
    `link add ${master.name} address ${formatMac(master.mac)} type veth peer name ${outside.name} ` +
      `address ${formatMac(outside.mac)} netns ${outside.namespace}`,
  ]);
  for (const device of [master, outside]) configure(lab, device);
  for (const slave of slaves) {
    const words = `link add link ${master.name} name ${slave.name} type ipvlan mode l2 bridge`;
    ipvlan(master.namespace, words);
    ip(master.namespace, [`link set ${slave.name} netns ${slave.namespace}`]);
    configure(lab, slave);
  }
}

export function setCompat(lab: Lab, compat: Compat): void {
  ipvlan(lab.master.namespace, `port set ${lab.master.name} compat ${compat}`);
}

/** Of the whole port. Neighbours are set again: a device that becomes NOARP, or ceases to be, forgets them. */
export function setColumn(lab: Lab, mode: Mode, flag: Flag): void {
  const [slave] = lab.slaves;
  if (slave !== undefined)
    ipvlan(slave.namespace, `link set dev ${slave.name} type ipvlan mode ${mode} ${flag}`);
  for (const device of lab.slaves) {
    dropAutomaticAddresses(device);
    setNeighbours(lab, device);
  }
}

/** How the port and its master's own stack are kept apart and joined, in the command's words. */
export interface StackWays {
  /** How frames for slaves are kept from it. */
  readonly consumption: string;
  /** How slaves' frames for it get there. */
  readonly wayUp: string;
}

export function stackWays(lab: Lab): StackWays {
  const ports = JSON.parse(ipvlan(lab.master.namespace, "port show -j")) as Port[];
  return ports.find((port) => port.master === lab.master.name)!;
}

interface Port extends StackWays {
  readonly master: string;
}

function makeNamespace(name: string): void {
  run("ip", ["netns", "add", name]);
  withNetns(name, () => {
    for (const scope of ["all", "default"]) {
      setSysctl(`ipv4/conf/${scope}/rp_filter`, 0);
      setSysctl(`ipv6/conf/${scope}/accept_dad`, 0);
      setSysctl(`ipv6/conf/${scope}/router_solicitations`, 0);
    }
    setSysctl("ipv6/conf/default/addr_gen_mode", NO_AUTOMATIC_ADDRESS);
  });
  ip(name, ["link set lo up"]);
}
const NO_AUTOMATIC_ADDRESS = 1;

function configure(lab: Lab, device: Device): void {
  const { name, namespace, addresses } = device;
  ip(namespace, [
    `link set ${name} up`,
    ...addresses.map((address) =>
      address.ip.length === 4
        ? `addr add ${formatPrefix(address)} broadcast + dev ${name}`
        : `addr add ${formatPrefix(address)} dev ${name} nodad`,
    ),
    ...(lab.slaves.includes(device) ? defaultRoute(lab, device) : []),
  ]);
  setNeighbours(lab, device);
}

/** Of slaves: the wire's far end, in the family that every recording has it in. */
function defaultRoute(lab: Lab, { name, addresses }: Device): string[] {
  const router = lab.outside.addresses.find(({ ip }) => ip.length === 4);
  if (router === undefined || !addresses.some(({ ip }) => ip.length === 4)) return [];
  return [`route add default via ${formatIp(router.ip)} dev ${name}`];
}

function setNeighbours(lab: Lab, { name, namespace, addresses }: Device): void {
  const own = new Set(addresses.map(({ ip }) => formatIp(ip)));
  const others = [...lab.neighbours].filter(([address]) => !own.has(address));
  ip(
    namespace,
    others.map(
      ([address, mac]) =>
        `neigh replace ${address} lladdr ${formatMac(mac)} nud permanent dev ${name}`,
    ),
  );
}

/** The recorded devices had no link-local address beside those listed; the daemon gives ours one. */
function dropAutomaticAddresses({ name, namespace, addresses }: Device): void {
  const listed = new Set(addresses.map(formatPrefix));
  const shown = run("ip", ["-n", namespace, "-6", "-o", "addr", "show", "dev", name]);
  const found = [...shown.matchAll(/inet6 (\S+)/g)].map(([, address]) => address!);
  ip(
    namespace,
    found.filter((one) => !listed.has(one)).map((one) => `addr del ${one} dev ${name}`),
  );
}

function ip(namespace: string, lines: readonly string[]): void {
  run("ip", ["-n", namespace, "-batch", "-"], lines.join("\n"));
}

function ipvlan(namespace: string, line: string): string {
  return withNetns(namespace, () => run(process.execPath, [COMMAND, ...line.split(" ")]));
}

function run(program: string, words: readonly string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync(program, words, { input, encoding: "utf8" });
  if (error !== undefined) throw new SandboxError(`${program}: ${error.message}`);
  if (status === 0) return stdout;
  const why = stderr.trim() || `exit status ${status}`;
  throw new SandboxError(`${program} ${words.join(" ")}: ${why}`);
}
