import assert from "node:assert/strict";
import { test } from "node:test";
import { inScratch, needsNamespaces } from "../../test/scratch-netns.ts";
import { addVeth } from "./netlink/link.ts";
import { withNetns } from "./netns.ts";
import { findSysctl, setSysctl } from "./sysctl.ts";

const skip = needsNamespaces;

test("a sysctl that this kernel lacks is not found, and cannot be set", () => {
  assert.equal(findSysctl("ipv4/no_such_switch"), undefined);
  assert.throws(() => setSysctl("ipv4/no_such_switch", 1));
});

test(
  "a sysctl is read and set in the namespace this thread is in, and in no other",
  { skip },
  inScratch((scratch) => {
    const [one, other] = [scratch.namespace(), scratch.namespace()];
    const read = () => findSysctl("ipv4/ip_default_ttl");
    const before = read();
    withNetns(one, () => setSysctl("ipv4/ip_default_ttl", 7));
    withNetns(other, () => setSysctl("ipv4/ip_default_ttl", "9"));
    assert.deepEqual([withNetns(one, read), withNetns(other, read), read()], ["7", "9", before]);
  }),
);

test(
  "a device's sysctls are found also if its name has a dot",
  { skip },
  inScratch((scratch) => {
    const netns = scratch.namespace();
    addVeth(scratch.socket(netns), { name: "eth0.10", peer: { name: "far" } });
    withNetns(netns, () => {
      setSysctl("ipv4/conf/eth0.10/forwarding", 1);
      assert.equal(findSysctl("ipv4/conf/eth0.10/forwarding"), "1");
      assert.equal(findSysctl("ipv4/conf/far/forwarding"), "0");
    });
  }),
);

test(
  "a value that the kernel refuses is an error",
  { skip },
  inScratch((scratch) => {
    const refused = () => setSysctl("ipv4/ip_default_ttl", 1000);
    withNetns(scratch.namespace(), () => assert.throws(refused, { code: "EINVAL" }));
  }),
);
