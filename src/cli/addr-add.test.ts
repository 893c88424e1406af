import assert from "node:assert/strict";
import test from "node:test";
import { linkInfo } from "../../test/link-info.ts";
import type { LinkInfo } from "../daemon/control.ts";
import { parsePrefix } from "../wire/address.ts";
import { isTaken } from "./addr-add.ts";

const slave = (deviceId: number, addresses: string[], settings: Partial<LinkInfo> = {}): LinkInfo =>
  linkInfo({ name: `i${deviceId}`, ifindex: 10 + deviceId, deviceId, addresses, ...settings });

const isTakenFor = (one: LinkInfo, address: string, links: LinkInfo[]): boolean =>
  isTaken(links, one, parsePrefix(address)!);

test("an address that another slave of the port has is taken, whatever its length, up or down", () => {
  const i1 = slave(1, ["10.0.0.10/24", "fd00::10/64"], { up: false, here: false });
  const i2 = slave(2, []);
  for (const address of ["10.0.0.10/24", "10.0.0.10/32", "fd00::10/64", "fd00:0::10/128"])
    assert.equal(isTakenFor(i2, address, [i1, i2]), true, address);
  for (const address of ["10.0.0.1/24", "10.0.0.100/24", "fd00::1/64"])
    assert.equal(isTakenFor(i2, address, [i1, i2]), false, address);
});

test("what the slave has itself is the kernel's to judge, but for IPv4 with another length", () => {
  const i1 = slave(1, ["10.0.0.10/24", "fd00::10/64"]);
  assert.equal(isTakenFor(i1, "10.0.0.10/24", [i1]), false);
  assert.equal(isTakenFor(i1, "10.0.0.10/32", [i1]), true);
  assert.equal(isTakenFor(i1, "fd00::10/64", [i1]), false);
  assert.equal(isTakenFor(i1, "fd00::10/128", [i1]), false);
});

test("another port's slave may have the same", () => {
  const i1 = slave(1, ["10.0.0.10/24"], { master: "eth1", masterIfindex: 4 });
  assert.equal(isTakenFor(slave(2, []), "10.0.0.10/24", [i1]), false);
});
