import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ip, mac } from "../../test/topology.ts";
import { formatIp, ip4ToNumber } from "../wire/address.ts";
import { CLAIMS_MAX, CLAIMS_PER_SLAVE_MAX } from "./claims.ts";
import { NOBODY, type Slave } from "./decide/machine.ts";
import { PortError } from "./errors.ts";
import {
  compatOf,
  compats,
  flagOf,
  flagOfBits,
  flags,
  modeOf,
  modeOfNumber,
  modes,
  Port,
  type PortOptions,
  pack,
} from "./port.ts";
import { SLAVES_MAX } from "./statistics.ts";

const newPort = (options: Partial<PortOptions> = {}): Port =>
  new Port({ mac: mac("own"), seed: 1, ...options });

function newPortOf(slaves: number, options: Partial<PortOptions> = {}): Port {
  const port = newPort(options);
  for (let i = 0; i < slaves; i++) port.setUp(port.addSlave(), true);
  return port;
}

const owner = (port: Port, address: string): Slave =>
  port.addresses.find4(ip4ToNumber(ip(address)));

// Settings

test("a new port is l3 bridge, as the HOWTO promises", () => {
  assert.deepEqual(newPort().settings, { mode: "l3", flag: "bridge", compat: "howto" });
});

test("what is not said of a port stays as it is, also when a slave is added (D7)", () => {
  const port = newPort({ mode: "l2", flag: "private" });
  assert.deepEqual(port.settingsOfNewSlave({}), { mode: "l2", flag: "private" });
  assert.deepEqual(port.settingsOfNewSlave({ mode: "l3s" }), { mode: "l3s", flag: "private" });
  port.configure({ mode: "l3" });
  assert.deepEqual(port.settings, { mode: "l3", flag: "private", compat: "howto" });
  port.configure({ flag: "vepa" });
  assert.deepEqual(port.settings, { mode: "l3", flag: "vepa", compat: "howto" });
});

test("compat kernel: a mode without a flag means bridge (D7)", () => {
  const port = newPort({ mode: "l2", flag: "private", compat: "kernel" });
  port.configure({ mode: "l2" });
  assert.deepEqual(port.settings, { mode: "l2", flag: "bridge", compat: "kernel" });
  port.configure({ flag: "vepa" });
  assert.deepEqual(port.settings, { mode: "l2", flag: "vepa", compat: "kernel" });
});

test("compat kernel: a new slave of which nothing is said makes the port l3 (test/kernel: second-slave-no-mode)", () => {
  const port = newPort({ mode: "l2", flag: "private", compat: "kernel" });
  assert.deepEqual(port.settingsOfNewSlave({}), { mode: "l3", flag: "private" });
  assert.deepEqual(port.settingsOfNewSlave({ flag: "vepa" }), { mode: "l3", flag: "vepa" });
  assert.deepEqual(port.settingsOfNewSlave({ mode: "l2" }), { mode: "l2", flag: "bridge" });
});

test("whoever changes a port is told which slaves it touches", () => {
  const port = newPortOf(2, { mode: "l2" });
  assert.deepEqual(port.configure({ mode: "l2", flag: "bridge" }), { slaves: [], noarp: false });
  assert.deepEqual(port.configure({ flag: "private" }), { slaves: [1, 2], noarp: false });
  assert.deepEqual(port.configure({ mode: "l3" }), { slaves: [1, 2], noarp: true });
  assert.deepEqual(port.configure({ mode: "l3s" }), { slaves: [1, 2], noarp: false });
});

test("rtnetlink's numbers are modes and flags; unknown ones, and private with vepa, are EINVAL", () => {
  assert.deepEqual([0, 1, 2].map(modeOfNumber), ["l2", "l3", "l3s"]);
  assert.deepEqual([0, 1, 2].map(flagOfBits), ["bridge", "private", "vepa"]);
  for (const number of [3, 4, 0xffff]) {
    assert.throws(() => modeOfNumber(number), { code: "EINVAL" });
    assert.throws(() => flagOfBits(number), { code: "EINVAL" });
  }
});

test("settings survive being packed into one word", () => {
  for (const mode of ["l2", "l3", "l3s"] as const)
    for (const flag of ["bridge", "private", "vepa"] as const)
      for (const compat of ["howto", "kernel"] as const) {
        const packed = pack(mode, flag, compat);
        assert.deepEqual(
          [modeOf(packed), flagOf(packed), compatOf(packed)],
          [modes[mode], flags[flag], compats[compat]],
        );
      }
});

// Device ids

test("device ids start at 1, and a freed one is not the next handed out", () => {
  const port = newPort();
  assert.deepEqual([port.addSlave(), port.addSlave()], [1, 2]);
  port.removeSlave(2);
  assert.equal(port.addSlave(), 3);
});

test("device ids come round to freed ones, and end with ENOSPC", () => {
  const port = newPort();
  for (let id = 1; id <= SLAVES_MAX; id++) assert.equal(port.addSlave(), id);
  assert.throws(() => port.addSlave(), { code: "ENOSPC" });
  port.removeSlave(5);
  assert.equal(port.addSlave(), 5);
});

test("a slave of before a restart keeps its id", () => {
  const port = newPort();
  assert.equal(port.addSlave(7), 7);
  assert.equal(port.addSlave(), 8);
  assert.throws(() => port.addSlave(7), { code: "EEXIST" });
  for (const id of [0, SLAVES_MAX + 1, 1.5, Number.NaN])
    assert.throws(() => port.addSlave(id), { code: "EINVAL" });
});

test("a slave that is not there is ENODEV", () => {
  const port = newPort();
  assert.throws(() => port.setUp(1, true), { code: "ENODEV" });
  assert.throws(() => port.addAddress(1, ip("10.0.0.1")), { code: "ENODEV" });
  assert.throws(() => port.claimAddress(1, ip("10.0.0.1")), { code: "ENODEV" });
});

// Addresses

test("an address that a slave holds is refused, in the driver's words", () => {
  const port = newPortOf(2);
  port.addAddress(1, ip("10.0.0.10"));
  const taken = new PortError("EADDRINUSE", "Address already assigned to an ipvlan device");
  assert.equal(taken.errno, 98);
  assert.equal(taken.message, "Address already in use");
  assert.throws(() => port.addAddress(2, ip("10.0.0.10")), taken);
  assert.throws(() => port.addAddress(1, ip("10.0.0.10")), taken); // with another prefix length
  port.setUp(1, false);
  assert.throws(() => port.addAddress(2, ip("10.0.0.10")), taken);
});

test("a slave owns traffic from up to down", () => {
  const port = newPort();
  port.addSlave();
  port.addAddress(1, ip("10.0.0.10"));
  assert.equal(owner(port, "10.0.0.10"), NOBODY);
  port.setUp(1, true);
  assert.equal(owner(port, "10.0.0.10"), 1);
  port.addAddress(1, ip("10.0.0.11"));
  assert.equal(owner(port, "10.0.0.11"), 1);
  port.setUp(1, false);
  assert.equal(owner(port, "10.0.0.10"), NOBODY);
});

test("learnt after the fact, the first holder keeps an address, and the next claimant inherits it", () => {
  const port = newPortOf(3);
  assert.equal(port.claimAddress(1, ip("10.0.0.10")), true);
  assert.equal(port.claimAddress(2, ip("10.0.0.10")), false);
  assert.equal(port.claimAddress(3, ip("10.0.0.10")), false);
  assert.deepEqual(port.conflicts(), [{ ip: ip("10.0.0.10"), holder: 1, claimants: [2, 3] }]);
  port.releaseAddress(1, ip("10.0.0.10"));
  assert.equal(owner(port, "10.0.0.10"), 2);
  port.removeSlave(2);
  assert.equal(owner(port, "10.0.0.10"), 3);
  assert.deepEqual(port.conflicts(), []);
  port.releaseAddress(3, ip("10.0.0.10"));
  assert.equal(port.addresses.count, 0);
});

test("an heir that is down inherits the address, but no traffic", () => {
  const port = newPortOf(2);
  port.claimAddress(1, ip("10.0.0.10"));
  port.claimAddress(2, ip("10.0.0.10"));
  port.setUp(2, false);
  port.removeSlave(1);
  assert.equal(port.addresses.holder(ip("10.0.0.10")), 2);
  assert.equal(owner(port, "10.0.0.10"), NOBODY);
});

test("a slave that has an address twice keeps it until both are gone", () => {
  const port = newPortOf(2);
  port.claimAddress(1, ip("10.0.0.10"));
  port.claimAddress(2, ip("10.0.0.10"));
  assert.equal(port.claimAddress(1, ip("10.0.0.10")), true);
  port.releaseAddress(1, ip("10.0.0.10"));
  assert.equal(owner(port, "10.0.0.10"), 1);
  port.releaseAddress(1, ip("10.0.0.10"));
  assert.equal(owner(port, "10.0.0.10"), 2);
});

test("the link-local address that all slaves would form is nobody's (D10)", () => {
  const port = newPortOf(1);
  assert.throws(() => port.addAddress(1, ip("fe80::ff:fe00:2")), { code: "EADDRINUSE" });
  assert.equal(port.claimAddress(1, ip("fe80::ff:fe00:2")), false);
  assert.equal(port.addresses.count, 0);
  port.setMac(mac("02:00:00:00:00:03"));
  assert.equal(port.claimAddress(1, ip("fe80::ff:fe00:2")), true);
});

test("a slave may have the master's address, and the conflict is reported (D5)", () => {
  const port = newPortOf(1);
  port.setMasterAddresses([ip("10.0.0.2"), ip("fd00::2")]);
  assert.deepEqual(port.conflicts(), []);
  port.addAddress(1, ip("10.0.0.2"));
  assert.deepEqual(port.conflicts(), [{ ip: ip("10.0.0.2"), holder: "master", claimants: [1] }]);
  port.setCompat("kernel"); // Linux does not compare the two
  assert.deepEqual(port.conflicts(), []);
  port.setCompat("howto");
  assert.equal(port.conflicts().length, 1);
});

test("claims have a limit, and each slave's have one", () => {
  const full = CLAIMS_MAX / CLAIMS_PER_SLAVE_MAX;
  const port = newPortOf(full + 1);
  const claim = (id: number) => port.claimAddress(id, ip("10.0.0.10"));
  claim(1);
  for (let id = 1; id <= full; id++) {
    for (let i = 0; i < CLAIMS_PER_SLAVE_MAX; i++) claim(id);
    assert.throws(() => claim(id), { code: "ENOSPC" });
  }
  assert.throws(() => claim(full + 1), { code: "ENOSPC" });
  port.releaseAddress(2, ip("10.0.0.10"));
  assert.throws(() => claim(1), { code: "ENOSPC" });
  claim(full + 1);
  port.removeSlave(3);
  claim(2);
});

/** Of the same few slaves and addresses, so that they get in each other's way. */
const slave = fc.integer({ min: 1, max: 4 });
const address = fc.constantFrom("10.0.0.1", "10.0.0.2", "fd00::1").map(ip);
const step = fc.oneof(
  fc.record({ what: fc.constantFrom("claim" as const, "release" as const), slave, address }),
  fc.record({ what: fc.constant("setUp" as const), slave, up: fc.boolean() }),
  fc.record({ what: fc.constant("replace" as const), slave }),
);

test("whoever came first and is still there holds an address, whatever happens", () => {
  const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const port = newPortOf(4);
    const up = new Set([1, 2, 3, 4]);
    const queues = new Map<string, Slave[]>();
    for (const s of steps) {
      if (s.what === "setUp") {
        port.setUp(s.slave, s.up);
        if (s.up) up.add(s.slave);
        else up.delete(s.slave);
      } else if (s.what === "replace") {
        port.removeSlave(s.slave);
        port.addSlave(s.slave);
        up.delete(s.slave);
        for (const [key, queue] of queues)
          queues.set(
            key,
            queue.filter((id) => id !== s.slave),
          );
      } else {
        const queue = queues.get(formatIp(s.address)) ?? [];
        queues.set(formatIp(s.address), queue);
        if (s.what === "claim") {
          port.claimAddress(s.slave, s.address);
          queue.push(s.slave);
        } else {
          port.releaseAddress(s.slave, s.address);
          const waiting = queue.indexOf(s.slave, 1); // who has it twice does not lose its place
          const at = waiting >= 0 ? waiting : queue.indexOf(s.slave);
          if (at >= 0) queue.splice(at, 1);
        }
      }
    }
    for (const [key, [holder, ...claimants]] of queues) {
      assert.equal(port.addresses.holder(ip(key)), holder ?? NOBODY, key);
      const conflict = port.conflicts().find((c) => formatIp(c.ip) === key);
      assert.deepEqual(conflict?.claimants ?? [], claimants);
      if (!key.includes(":")) {
        const isOwner = holder !== undefined && up.has(holder);
        assert.equal(owner(port, key), isOwner ? holder : NOBODY);
      }
    }
  });
  fc.assert(property, { numRuns: 500 });
});
