/** Ports as text: one line for each (`port show`), or all they know (`status`). */
import type { Conflict, LinkInfo, PortInfo } from "../daemon/control.ts";

export function formatPorts(ports: readonly PortInfo[]): string {
  return printable(ports.map((port) => `${formatPort(port)}\n`).join(""));
}

function formatPort(port: PortInfo): string {
  const slaves = port.slaves.map((slave) => slave.name).join(",") || "none";
  return `${port.master}: mode ${port.mode} ${port.flag} compat ${port.compat} engine ${port.engine} consumption ${port.consumption} way up ${port.wayUp} slaves ${slaves}`;
}

export function formatStatus(ports: readonly PortInfo[]): string {
  if (ports.length === 0) return "no ports\n";
  return printable(ports.map(formatStatusOf).join("\n"));
}

/** Who lives in a slave's namespace names its device, and shall not write on a terminal of ours what moves its cursor. */
const printable = (text: string): string => text.replace(/[^\P{C}\n]/gu, "?");

function formatStatusOf(port: PortInfo): string {
  return [
    `${port.master}  mode ${port.mode} ${port.flag}`,
    `    compat ${port.compat}  engine ${port.engine} (${port.engineReason})  consumption ${port.consumption}  way up ${port.wayUp}`,
    "",
    ...indent(formatSlaves(port.slaves)),
    ...port.slaves.flatMap((slave) =>
      slave.refused ? ["", ...indent([formatRefused(slave)])] : [],
    ),
    ...port.conflicts.flatMap((conflict) => ["", ...indent([formatConflict(conflict)])]),
    ...formatDrops(port.drops),
    "",
  ].join("\n");
}

/** Of those that a container tool has made it says for whom. */
function formatSlaves(slaves: readonly LinkInfo[]): string[] {
  const areLabelled = slaves.some(({ label }) => label !== undefined);
  const rows = slaves.map((slave) => [
    slave.name,
    slave.here ? "here" : (slave.netns ?? "elsewhere"),
    slave.up ? "up" : "down",
    String(slave.mtu),
    String(slave.deviceId),
    slave.addresses.join(" ") || "none",
    ...(areLabelled ? [slave.label ?? ""] : []),
  ]);
  const head = ["slave", "namespace", "state", "mtu", "id", "addresses"];
  return table([[...head, ...(areLabelled ? ["made for"] : [])], ...rows]);
}

const formatConflict = ({ address, holder, claimants }: Conflict): string =>
  `conflict: ${address} is held by ${holder}, claimed by ${claimants.join(", ")}`;

const formatRefused = ({ name, refused, addresses }: LinkInfo): string =>
  `${name} has too many addresses: ${addresses.length} are its own or waited for, ${refused} times one was refused`;

function formatDrops(drops: Readonly<Record<string, number>>): string[] {
  const counted = Object.entries(drops).filter(([, count]) => count > 0);
  if (counted.length === 0) return [];
  const rows = counted.map(([reason, count]) => [reason, String(count)]);
  return ["", ...indent(table([["dropped because", "frames"], ...rows]))];
}

const indent = (lines: readonly string[]): string[] => lines.map((line) => `    ${line}`);

/** Columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
