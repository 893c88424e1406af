import assert from "node:assert/strict";
import { test } from "node:test";
import { inScratch, needsNamespaces, type Scratch } from "../../../test/scratch-netns.ts";
import { ip } from "../../../test/topology.ts";
import { formatIp } from "../../wire/address.ts";
import { AF_INET, AF_INET6 } from "../sys.ts";
import * as address from "./address.ts";
import { addVeth, deleteLink } from "./link.ts";

const skip = needsNamespaces;

function pair(scratch: Scratch) {
  const there = scratch.namespace();
  const socket = scratch.socket(scratch.namespace());
  const h0 = addVeth(socket, { name: "h0", peer: { name: "p0", netnsFd: there } });
  return { socket, h0, far: scratch.socket(there) };
}

const texts = (addresses: address.Address[]): string[] =>
  addresses.map((a) => `${formatIp(a.ip)}/${a.prefixLength}`);

test(
  "an address that was added is listed, IPv4 and IPv6, until it is deleted",
  { skip },
  inScratch((scratch) => {
    const { socket, h0 } = pair(scratch);
    const four = { ifindex: h0.index, ip: ip("10.0.0.7"), prefixLength: 24 };
    const six = { ifindex: h0.index, ip: ip("fd00::7"), prefixLength: 64 };
    address.addAddress(socket, four);
    address.addAddress(socket, { ...six, flags: address.IFA_F_NODAD });
    const all = address.dumpAddresses(socket);
    assert.deepEqual(texts(all), ["10.0.0.7/24", "fd00::7/64"]);
    assert.deepEqual(
      all.map((a) => [a.family, a.ifindex, a.label, a.tentative, a.dadFailed]),
      [
        [AF_INET, h0.index, "h0", false, false],
        [AF_INET6, h0.index, undefined, false, false],
      ],
    );
    assert.throws(() => address.addAddress(socket, four), { code: "EEXIST" });
    address.deleteAddress(socket, four);
    assert.deepEqual(texts(address.dumpAddresses(socket)), ["fd00::7/64"]);
    assert.throws(() => address.deleteAddress(socket, four), { code: "EADDRNOTAVAIL" });
  }),
);

test(
  "an IPv6 address is tentative until duplicate detection is through, unless that was left out",
  { skip },
  inScratch((scratch) => {
    const { socket, h0 } = pair(scratch);
    const six = { ifindex: h0.index, ip: ip("fd00::7"), prefixLength: 64 };
    address.addAddress(socket, six);
    assert.equal(address.dumpAddresses(socket)[0]?.tentative, true);
  }),
);

test(
  "lists are of one device, of one family, of another namespace, as asked",
  { skip },
  inScratch((scratch) => {
    const { socket, far, h0 } = pair(scratch);
    const far0 = { ifindex: h0.link!, prefixLength: 24 };
    address.addAddress(far, { ...far0, ip: ip("10.0.0.8") });
    address.addAddress(far, { ...far0, ip: ip("fd00::8") });
    address.addAddress(far, { ifindex: 1, ip: ip("127.0.0.1"), prefixLength: 8 });
    const there = { targetNsid: h0.linkNsid! };
    const list = (which: Parameters<typeof address.dumpAddresses>[1]) =>
      texts(address.dumpAddresses(socket, which));
    assert.deepEqual(list({}), []);
    assert.equal(list(there).length, 3);
    assert.deepEqual(list({ ...there, family: AF_INET6 }), ["fd00::8/24"]);
    assert.deepEqual(list({ ...there, ifindex: h0.link!, family: AF_INET }), ["10.0.0.8/24"]);
  }),
);

test(
  "an id that no namespace has is refused, not answered with the own addresses",
  { skip },
  inScratch((scratch) => {
    const { socket } = pair(scratch);
    assert.throws(() => address.dumpAddresses(socket, { targetNsid: -1 }), RangeError);
    assert.throws(() => address.dumpAddresses(socket, { targetNsid: 42 }), { code: "EINVAL" });
  }),
);

test(
  "a device that is gone has no addresses",
  { skip },
  inScratch((scratch) => {
    const { socket, h0 } = pair(scratch);
    deleteLink(socket, h0.index);
    assert.deepEqual(address.dumpAddresses(socket, { ifindex: h0.index }), []);
  }),
);
