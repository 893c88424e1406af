import assert from "node:assert/strict";
import test from "node:test";
import { linkInfo } from "../../test/link-info.ts";
import type { LinkInfo, PortInfo } from "../daemon/control.ts";
import { formatPorts, formatStatus } from "./status.ts";

const slave = (name: string, settings: Partial<LinkInfo>): LinkInfo =>
  linkInfo({ name, ...settings });

const port: PortInfo = {
  master: "eth0",
  ifindex: 3,
  mode: "l2",
  flag: "private",
  compat: "howto",
  engine: "userspace",
  engineReason: "nothing else",
  consumption: "nftables",
  wayUp: "tc",
  slaves: [
    slave("ipvl0", { addresses: ["10.0.0.10", "fe80::1"] }),
    slave("ipvl1", { here: false, netns: "ns1", up: false, deviceId: 2 }),
  ],
  conflicts: [{ address: "10.0.0.10", holder: "ipvl0", claimants: ["eth0"] }],
  drops: { isolated: 12, "forged MAC": 0 },
};

test("port show is one line for each port", () => {
  assert.equal(
    formatPorts([port]),
    "eth0: mode l2 private compat howto engine userspace consumption nftables way up tc slaves ipvl0,ipvl1\n",
  );
});

test("nothing in a slave's name reaches the terminal as a control sequence", () => {
  const slaves = [slave("\x1b[31m\u202ered\x07", {}), slave("äöü", {})];
  for (const shown of [formatPorts([{ ...port, slaves }]), formatStatus([{ ...port, slaves }])]) {
    assert.match(shown, /\?\[31m\?red\?/);
    assert.match(shown, /äöü/);
    assert.doesNotMatch(shown, /[^\P{C}\n]/u);
  }
});

test("status tells who has too many addresses", () => {
  const [first, second] = port.slaves;
  const shown = formatStatus([{ ...port, slaves: [{ ...first!, refused: 7 }, second!] }]);
  assert.match(shown, /ipvl0 has too many addresses: 2 are .* 7 times one was refused/);
});

test("status shows slaves, conflicts and the drops that happened", () => {
  assert.equal(
    formatStatus([port]),
    `eth0  mode l2 private
    compat howto  engine userspace (nothing else)  consumption nftables  way up tc

    slave  namespace  state  mtu   id  addresses
    ipvl0  here       up     1500  1   10.0.0.10 fe80::1
    ipvl1  ns1        down   1500  2   none

    conflict: 10.0.0.10 is held by ipvl0, claimed by eth0

    dropped because  frames
    isolated         12
`,
  );
  assert.equal(formatStatus([]), "no ports\n");
});
