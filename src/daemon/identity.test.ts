import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { compats, flags, modes, type Settings } from "../driver/settings.ts";
import { ENGINE_CHOICES } from "../engine/engine.ts";
import {
  downName,
  hostName,
  LABEL_PATTERN,
  PORTS_MAX,
  parsePortAlias,
  parseSlaveAlias,
  portAlias,
  slaveAlias,
} from "./identity.ts";

const anyIndex = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const anyPort = fc.integer({ min: 1, max: PORTS_MAX });
const anyId = fc.integer({ min: 1, max: 65_533 });
/** Kernel: dev_valid_name(). */
const anyName = fc.stringMatching(/^[!-.0-9;-~]{1,15}$/);
const anyLabel = fc.stringMatching(new RegExp(LABEL_PATTERN));
const oneOf = <T extends string>(all: Readonly<Record<T, number>>) =>
  fc.constantFrom(...(Object.keys(all) as T[]));
const anySettings: fc.Arbitrary<Settings> = fc.record(
  { mode: oneOf(modes), flag: oneOf(flags), compat: oneOf(compats) },
  { noNullPrototype: true },
);

test("a slave is told again from its alias", () => {
  fc.assert(
    fc.property(anyPort, anyId, fc.option(anyLabel, { nil: undefined }), (port, id, label) => {
      const identity = { id, port, ...(label !== undefined && { label }) };
      assert.deepEqual(parseSlaveAlias(slaveAlias(identity)), identity);
    }),
  );
});

test("a port is told again from its alias, whatever its master is called", () => {
  fc.assert(
    fc.property(
      anyPort,
      anyName,
      anyIndex,
      anySettings,
      fc.constantFrom(...ENGINE_CHOICES),
      fc.boolean(),
      (port, name, ifindex, settings, engine, isChanging) => {
        const identity = { port, master: { name, ifindex }, settings, engine, isChanging };
        assert.deepEqual(parsePortAlias(portAlias(identity)), identity);
      },
    ),
  );
});

test("names of host ends fit the kernel, and differ by slave and by port", () => {
  assert.ok(hostName({ port: PORTS_MAX, id: 65_533 }).length <= 15);
  assert.ok(downName(PORTS_MAX).length <= 15);
  const names = [
    [1, 11],
    [11, 1],
    [1, 1],
  ].map(([port, id]) => hostName({ port: port!, id: id! }));
  assert.equal(new Set(names).size, 3);
});

test("what others wrote into a device makes it none of ours", () => {
  const others = [
    undefined,
    "",
    "uplink to rack 4",
    "ipvlan slave x of 2",
    "ipvlan slave 1 of 2, formerly 3",
    "my ipvlan slave 1 of 2",
    "ipvlan port eth0 2 l2 bridge howto",
    "ipvlan port 1 eth0 2 l2 bridge",
    "ipvlan port 1 eth0 2 l2 bridge howto changed",
    "ipvlan port 1 eth0 two l2 bridge howto",
    "ipvlan port 1 eth0 2 l4 bridge howto",
    "ipvlan port 1 eth0 2 l2 trunk howto",
    "ipvlan port 1 eth0 2 l2 bridge other",
    "ipvlan port 1 eth0 2 toString bridge howto",
    "ipvlan port 1 eth0 2 l2 toString howto",
    "ipvlan port 1 eth0 2 l2 bridge toString",
  ];
  for (const alias of others) {
    assert.equal(parseSlaveAlias(alias), undefined, alias);
    assert.equal(parsePortAlias(alias), undefined, alias);
  }
  fc.assert(
    fc.property(fc.string(), (alias) => {
      assert.equal(parseSlaveAlias(alias), undefined);
      assert.equal(parsePortAlias(alias), undefined);
    }),
  );
});
