import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIp, parsePrefix } from "../wire/address.ts";
import { Device } from "./device.ts";
import { hasPrefix, Routes } from "./routes.ts";

const device = (name: string): Device => {
  const made = new Device({ name, mac: new Uint8Array(6) });
  made.setUp(true);
  return made;
};
const to = (text: string) => parsePrefix(text)!;
const ip = (text: string) => parseIp(text)!;

test("the longest prefix is asked first, then the least metric, whatever the order they were added in", () => {
  const [eth0, eth1] = [device("eth0"), device("eth1")];
  const routes = new Routes();
  routes.add({ to: to("0.0.0.0/0"), device: eth0, via: ip("10.0.0.1"), metric: 100 });
  routes.add({ to: to("0.0.0.0/0"), device: eth1, via: ip("10.1.0.1") });
  routes.add({ to: to("10.0.0.0/8"), device: eth0 });
  routes.add({ to: to("10.0.0.0/24"), device: eth1 });
  assert.equal(routes.find(ip("10.0.0.9"))?.device, eth1);
  assert.equal(routes.find(ip("10.0.1.9"))?.device, eth0);
  assert.equal(routes.find(ip("192.0.2.1"))?.device, eth1);
  assert.equal(routes.find(ip("192.0.2.1"), eth0)?.device, eth0);
  eth1.setUp(false);
  assert.equal(routes.find(ip("10.0.0.9"))?.to.length, 8);
});

test("the same route is not added twice", () => {
  const eth0 = device("eth0");
  const routes = new Routes();
  assert.equal(routes.add({ to: to("10.0.0.0/24"), device: eth0 }), true);
  assert.equal(routes.add({ to: to("10.0.0.7/24"), device: eth0 }), false);
  assert.equal(routes.add({ to: to("10.0.0.0/24"), device: eth0, metric: 1 }), true);
});

test("an address has a prefix if its leading bits are the same", () => {
  const bits = (bytes: Uint8Array) =>
    Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const bytes = fc.uint8Array({ minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(bytes, bytes, fc.nat(32), fc.nat(32), (a, b, length, same) => {
      // Alike up to a bit, or else chance would hardly ever make them so.
      const mixed = Uint8Array.from(a, (byte, i) => {
        const own = Math.min(8, Math.max(0, same - 8 * i));
        const mask = (0xff00 >> own) & 0xff;
        return (byte & mask) | (b[i]! & ~mask);
      });
      const expected = bits(mixed).slice(0, length) === bits(b).slice(0, length);
      assert.equal(hasPrefix(mixed, { ip: b, length }), expected);
    }),
  );
});
