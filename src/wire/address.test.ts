import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import * as address from "./address.ts";
import { formatIp, formatMac, formatPrefix, parseIp, parseMac, parsePrefix } from "./address.ts";
import { Frame } from "./frame.ts";

const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && Buffer.from(bytes).toString("hex");
const ip4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
/** Zeros are frequent, for runs of them are what the notation is about. */
const ip6 = fc
  .array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));

test("IPv4 text is four decimal octets", () => {
  assert.equal(hex(parseIp("10.0.0.10")), "0a00000a");
  assert.equal(hex(parseIp("255.255.255.255")), "ffffffff");
  assert.equal(formatIp(Uint8Array.of(192, 0, 2, 1)), "192.0.2.1");
});

test("the examples of RFC 4291 §2.2 are read, long, short and mixed", () => {
  const examples: Record<string, string> = {
    "ABCD:EF01:2345:6789:ABCD:EF01:2345:6789": "abcdef0123456789abcdef0123456789",
    "2001:DB8:0:0:8:800:200C:417A": "20010db80000000000080800200c417a",
    "2001:DB8::8:800:200C:417A": "20010db80000000000080800200c417a",
    "FF01:0:0:0:0:0:0:101": "ff010000000000000000000000000101",
    "FF01::101": "ff010000000000000000000000000101",
    "0:0:0:0:0:0:0:1": "00000000000000000000000000000001",
    "::1": "00000000000000000000000000000001",
    "0:0:0:0:0:0:0:0": "00000000000000000000000000000000",
    "::": "00000000000000000000000000000000",
    "0:0:0:0:0:0:13.1.68.3": "0000000000000000000000000d014403",
    "::13.1.68.3": "0000000000000000000000000d014403",
    "0:0:0:0:0:FFFF:129.144.52.38": "00000000000000000000ffff81903426",
    "::FFFF:129.144.52.38": "00000000000000000000ffff81903426",
    "1:2:3:4:5:6:7::": "00010002000300040005000600070000",
  };
  for (const [text, bytes] of Object.entries(examples))
    assert.equal(hex(parseIp(text)), bytes, text);
});

test("the recommendations of RFC 5952 §4 and §5 are what is written", () => {
  const examples: Record<string, string> = {
    "2001:0db8::0001": "2001:db8::1", // §4.1 leading zeros
    "2001:db8:0:0:0:0:2:1": "2001:db8::2:1", // §4.2.1 as short as possible
    "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1", // §4.2.2 not for one group
    "2001:0:0:1:0:0:0:1": "2001:0:0:1::1", // §4.2.3 the longest run
    "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1", // §4.2.3 the first of equals
    "2001:DB8::AbCd": "2001:db8::abcd", // §4.3 lower case
    "::ffff:c000:201": "::ffff:192.0.2.1", // §5 mapped
    "0:0:0:0:0:0:0:0": "::",
    "1:0:0:0:0:0:0:0": "1::",
    "::fffe:c000:201": "::fffe:c000:201",
  };
  for (const [text, canonical] of Object.entries(examples))
    assert.equal(formatIp(parseIp(text)!), canonical, text);
});

test("what is not exactly an address is refused", () => {
  const bad = ["", " ", "10", "10.0.0", "10.0.0.0.1", "10.0.0.256", "010.0.0.1", "10.0.0.01"];
  bad.push("10.0.0.1 ", "+1.0.0.0", "1e1.0.0.0", "0x1.0.0.0", "10..0.1", "10.0.0.1\n", "١.0.0.0");
  bad.push(":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::");
  bad.push(
    "1:2:3:4::5:6:7:8",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "1::2:",
    ":1::2",
    "12345::",
    "g::",
  );
  bad.push(
    "fe80::1%eth0",
    "[::1]",
    "::1 ",
    "::1/64",
    "::1.2.3",
    "::1.2.3.04",
    "1.2.3.4::",
    "::1.2.3.4:5",
  );
  bad.push("1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4:1:2:3:4:5:6", "eth0", "default");
  for (const text of bad) assert.equal(parseIp(text), undefined, JSON.stringify(text));
});

test("bytes come back from their text", () => {
  fc.assert(
    fc.property(fc.oneof(ip4, ip6), (ip) => {
      assert.deepEqual(parseIp(formatIp(ip)), ip);
    }),
  );
});

test("the text of an address is its one canonical form: read and written again it stays", () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const ip = parseIp(text);
      assert.ok(ip, text);
      assert.equal(formatIp(parseIp(formatIp(ip))!), formatIp(ip));
    }),
  );
});

test("any text: the same answer as Node's, zone ids aside, and never an exception", () => {
  const unit = fc.constantFrom(..."0123456789abcfF:::...%/ ");
  const noise = fc.oneof(fc.string({ unit, maxLength: 20 }), fc.string());
  fc.assert(
    fc.property(noise, (text) => {
      const isIp = isIPv4(text) || (isIPv6(text) && !text.includes("%"));
      assert.equal(parseIp(text) !== undefined, isIp);
      parsePrefix(text);
      parseMac(text);
    }),
    { numRuns: 2000 },
  );
});

test("a prefix has a length, or is the whole address", () => {
  assert.deepEqual(parsePrefix("10.0.0.1/24"), { ip: Uint8Array.of(10, 0, 0, 1), length: 24 });
  assert.equal(parsePrefix("10.0.0.1")?.length, 32);
  assert.equal(parsePrefix("fd00::1")?.length, 128);
  for (const text of ["0.0.0.0/0", "10.0.0.1/32", "fd00::10/64", "::/0", "fd00::1/128"])
    assert.equal(formatPrefix(parsePrefix(text)!), text);
});

test("a prefix length beyond the address, or not plainly a number, is refused", () => {
  for (const length of ["33", "-1", "024", "", " 24", "2.4", "1e1", "24/24", "255.255.255.0"])
    assert.equal(parsePrefix(`10.0.0.1/${length}`), undefined, length);
  assert.equal(parsePrefix("fd00::1/129"), undefined);
  assert.equal(parsePrefix("/24"), undefined);
});

test("a MAC is six bytes in hexadecimal", () => {
  assert.equal(hex(parseMac("02:00:00:Aa:bB:02")), "020000aabb02");
  assert.equal(hex(parseMac("2:0:0:0:0:1")), "020000000001");
  assert.equal(formatMac(Uint8Array.of(2, 0, 0, 0xaa, 0xbb, 2)), "02:00:00:aa:bb:02");
  for (const bad of [
    "",
    "02:00:00:00:00",
    "02:00:00:00:00:00:01",
    "02-00-00-00-00-01",
    "g2:0:0:0:0:1",
  ])
    assert.equal(parseMac(bad), undefined, bad);
  assert.equal(parseMac("002:0:0:0:0:1"), undefined);
  assert.equal(parseMac(":0:0:0:0:1"), undefined);
});

test("addresses and their numbers are each other's inverse", () => {
  const mac = parseMac("fe:dc:ba:98:76:54")!;
  assert.deepEqual([address.macHigh(mac), address.macLow(mac)], [0xfedc, 0xba987654]);
  assert.deepEqual(address.macFrom(0xfedc, 0xba987654), mac);
  assert.equal(address.ip4ToNumber(Uint8Array.of(250, 0, 0, 10)), 0xfa00000a);
  assert.deepEqual(address.ip4FromNumber(0xfa00000a), Uint8Array.of(250, 0, 0, 10));
});

test("an IPv6 address read from a frame is a copy", () => {
  const f = Frame.of(Uint8Array.of(0xee, ...parseIp("fd00::1")!));
  const ip = address.ip6From(f, 1);
  f.bytes.fill(0);
  assert.equal(formatIp(ip), "fd00::1");
});

test("link-local is fe80::/10 and nothing of IPv4", () => {
  const isLinkLocal = (text: string) => address.isLinkLocal6(parseIp(text)!);
  assert.deepEqual(["fe80::1", "febf::1"].map(isLinkLocal), [true, true]);
  assert.deepEqual(["fec0::1", "fe7f::1", "fd00::1"].map(isLinkLocal), [false, false, false]);
  assert.equal(isLinkLocal("254.128.0.1"), false);
});
