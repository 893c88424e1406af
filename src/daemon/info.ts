/** What the control API tells of ports and slaves. */
import { NOBODY } from "../driver/decide/machine.ts";
import { formatIp, formatMac } from "../wire/address.ts";
import type { LinkInfo, PortInfo } from "./control.ts";
import type { LivePort } from "./live-port.ts";
import type { Slave } from "./slave.ts";

/** `hereNsid`: the namespace of whoever asks. */
export function linkInfo(port: LivePort, slave: Slave, hereNsid: number): LinkInfo {
  const { mode, flag } = port.port.settings;
  const { drops, ...counters } = port.statistics(slave.id);
  const netns = slave.netnsPath;
  return {
    name: slave.name,
    ifindex: slave.ifindex,
    ...(netns !== undefined && { netns }),
    here: slave.nsid === hereNsid,
    master: port.master.name,
    masterIfindex: port.master.index,
    masterHere: port.masterNsid === hereNsid,
    masterUp: port.master.up,
    mode,
    flag,
    deviceId: slave.id,
    mac: formatMac(port.port.mac),
    mtu: slave.mtu,
    up: slave.up,
    addresses: [...slave.addresses.keys()],
    room: port.slaves.roomOf(slave),
    ...(slave.label !== undefined && { label: slave.label }),
    ...(slave.refused > 0 && { refused: slave.refused }),
    statistics: { ...counters, ...drops },
  };
}

export function portInfo(port: LivePort, hereNsid: number): PortInfo {
  const nameOf = (id: number) => port.slaves.get(id)?.name ?? `slave ${id}`;
  return {
    master: port.master.name,
    ifindex: port.master.index,
    ...port.port.settings,
    engine: port.engineName,
    engineReason: port.engineReason,
    consumption: port.intakeName,
    wayUp: port.wayUpName,
    slaves: port.slaves.all().map((slave) => linkInfo(port, slave, hereNsid)),
    conflicts: port.port.conflicts().map(({ ip, holder, claimants }) => ({
      address: formatIp(ip),
      holder: holder === "master" ? port.master.name : nameOf(holder),
      claimants: claimants.map(nameOf),
    })),
    drops: allDrops(port),
  };
}

/** The port's own and its slaves', by reason. */
function allDrops(port: LivePort): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const row of [NOBODY, ...port.slaves.all().map(({ id }) => id)])
    for (const [reason, count] of Object.entries(port.statistics(row).drops))
      sum[reason] = (sum[reason] ?? 0) + count;
  return sum;
}
