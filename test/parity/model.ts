/**
 * The driver's frame path on a model of the lab: outlets that write down the place, and as much of the
 * kernel around the driver as decides where its frames go: routes of the master's namespace, a socket's limits.
 */
import { AddressTable } from "../../src/driver/address-table.ts";
import { DataPath, type Outlets } from "../../src/driver/data-path.ts";
import { NO_ROUTE } from "../../src/driver/decide/verdict.ts";
import { GroupTable } from "../../src/driver/group-table.ts";
import { type Compat, compats, flags, modes } from "../../src/driver/settings.ts";
import { Statistics } from "../../src/driver/statistics.ts";
import { macHigh, macLow } from "../../src/wire/address.ts";
import * as eth from "../../src/wire/ethernet.ts";
import { Frame } from "../../src/wire/frame.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import * as ipv6 from "../../src/wire/ipv6.ts";
import type { Limit } from "./compare.ts";
import type { Observation } from "./expectation.ts";
import { getSender, type Lab, MTU, slaveId, slaveName, WIRE } from "./lab.ts";
import type { Case } from "./recording.ts";
import type { Engine } from "./replay.ts";
import { routed } from "./route.ts";

export class ModelEngine implements Engine {
  readonly tries = 1;
  readonly limits: readonly Limit[] = [];
  readonly #lab: Lab;
  readonly #path: DataPath;
  #seen: Map<string, Uint8Array[]> = new Map();

  constructor(lab: Lab, compat: Compat) {
    this.#lab = lab;
    this.#path = new DataPath({
      addresses: addressesOf(lab),
      groups: groupsOf(lab),
      statistics: new Statistics(),
      outlets: this.#outlets(),
    });
    this.#path.compat = compats[compat];
    this.#path.macHigh = macHigh(lab.master.mac);
    this.#path.macLow = macLow(lab.master.mac);
  }

  run(c: Case): Observation | string {
    const bytes = c.frame;
    if (bytes === undefined) return "a socket's datagram: the model has no stacks";
    if (isRefusedBySocket(bytes)) return { frames: new Map(), isRefused: true };
    this.#seen = new Map();
    this.#path.mode = modes[c.mode];
    this.#path.flag = flags[c.flag];
    const sender = getSender(this.#lab, c);
    if (sender === this.#lab.outside) this.#fromWire(Frame.of(bytes));
    else if (sender === this.#lab.master)
      this.#saw(WIRE, bytes); // It sends past the driver.
    else this.#path.xmit(slaveId(this.#lab, sender), Frame.of(bytes));
    while (this.#path.flush(Number.MAX_SAFE_INTEGER));
    return { frames: this.#seen };
  }

  close(): void {}

  #fromWire(f: Frame): void {
    this.#path.receive(f);
    // What is not delivered at once goes its way in the master's stack.
    if (this.#seen.size > 0) return;
    this.#saw(this.#lab.stack, f.view());
    if (this.#path.mode === modes.l3s && isUnicastPacket(f)) this.#path.input(f);
  }

  #outlets(): Outlets {
    const lab = this.#lab;
    return {
      deliver: (to, f) => this.#saw(slaveName(lab, to), f.view()),
      wire: (f) => this.#saw(WIRE, f.view()),
      stack: (f) => this.#saw(lab.stack, f.view()),
      route: (f) => {
        const leaving = routed(lab, f);
        return leaving === undefined ? NO_ROUTE : this.#saw(WIRE, leaving);
      },
    };
  }

  #saw(place: string, bytes: Uint8Array): number {
    const seen = this.#seen.get(place) ?? [];
    this.#seen.set(place, seen);
    seen.push(bytes.slice());
    return 0;
  }
}

/** Kernel: packet_snd(). */
function isRefusedBySocket(bytes: Uint8Array): boolean {
  if (bytes.length < eth.HEADER) return true;
  const tag = eth.type(Frame.of(bytes)) === eth.ETH_P_8021Q ? eth.TAG : 0;
  return bytes.length > eth.HEADER + tag + MTU;
}

/** Local input of a namespace that has joined none of the slaves' groups. */
function isUnicastPacket(f: Frame): boolean {
  const isTagged = eth.isTag(eth.type(f));
  const at = eth.HEADER + (isTagged ? eth.TAG : 0);
  const type = isTagged ? eth.innerType(f) : eth.type(f);
  if (type === eth.ETH_P_IPV6) return !ipv6.isMulticast(f, ipv6.dstAt(at));
  return type === eth.ETH_P_IP && !ipv4.isMulticast(ipv4.dst(f, at));
}

function addressesOf(lab: Lab): AddressTable {
  const table = new AddressTable();
  for (const [i, slave] of lab.slaves.entries())
    for (const { ip } of slave.addresses) table.set(ip, i + 1, true);
  return table;
}

function groupsOf(lab: Lab): GroupTable {
  const table = new GroupTable();
  for (const [i, filter] of lab.filters.entries()) table.set(i + 1, filter);
  return table;
}
