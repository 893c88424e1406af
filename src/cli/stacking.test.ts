import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommand } from "./command.ts";
import { findRefusal } from "./stacking.ts";

const requestOf = (line: string) => {
  const command = parseCommand(`link ${line}`.split(" "), "ip");
  return command.to === "daemon" ? command.request : command.to;
};

test("what is to stand on a device is asked about, if a slave or a master could refuse it", () => {
  for (const kind of ["vlan", "macvlan", "macvtap"])
    assert.deepEqual(requestOf(`add link i0 name x type ${kind}`), {
      verb: "stack",
      name: "i0",
      upper: kind,
      isMaster: false,
    });
  assert.equal(requestOf("add link i0 name x type macsec"), "system");
  assert.equal(requestOf("add name x type vlan"), "system");
});

test("so is another MAC, and a master above a device", () => {
  const stack = { verb: "stack", name: "i0" };
  assert.deepEqual(requestOf("set i0 address 02:00:00:00:00:09"), {
    ...stack,
    upper: "address",
    isMaster: false,
  });
  for (const line of ["set dev i0 master br0", "set i0 mas br0", "set i0 up master br0"])
    assert.deepEqual(requestOf(line), { ...stack, upper: "br0", isMaster: true }, line);
  for (const line of ["set i0 nomaster", "set i0 up", "set group default master br0"])
    assert.equal(requestOf(line), "system", line);
});

test("a master refuses what would take its receive handler, and nothing else", () => {
  assert.match(findRefusal("master", "bridge")?.message ?? "", /busy/);
  assert.match(findRefusal("slave", "vlan")?.message ?? "", /^Error: 8021q: VLANs not supported/);
  for (const kind of ["vlan", "vrf", "address", "", "toString"])
    assert.equal(findRefusal("master", kind), undefined, kind);
});
