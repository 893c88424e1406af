/** What a frame from the wire meets, rule by rule; a column is a port's mode and flag, compat howto unless said. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { frame, topology } from "../../../test/topology.ts";
import * as eth from "../../wire/ethernet.ts";
import { type Frame, put8 } from "../../wire/frame.ts";

const slaves = `
  ipvl0  10.0.0.10 fd00::10
  ipvl1  10.0.0.11 fd00::11 joins 01:00:5e:01:01:01
  ipvl2
  ipvl3  10.0.0.13 down
`;
const everySlave = "stack, ipvl0, ipvl1, ipvl2";

const flags = ["bridge", "private", "vepa"];
const both = ["howto", "kernel"];

/** Columns of these modes that all have the same outcome. */
const modes = (places: string, ...names: string[]): Record<string, string> =>
  Object.fromEntries(
    names.flatMap((m) => flags.flatMap((f) => both.map((c) => [`${m} ${f} ${c}`, places]))),
  );

/** What becomes of a frame from the wire, by column: the places where it comes out, in order. */
function arrives(
  sentence: string,
  words: string | Frame,
  columns: Readonly<Record<string, string>>,
) {
  test(sentence, () => {
    for (const [column, places] of Object.entries(columns)) {
      const net = topology(`eth0 ${column} ${slaves}`);
      assert.equal(net.receive(words).join(", "), places, column);
    }
  });
}

// Unicast

const toSlave = "w0>own 10.0.0.1>10.0.0.10";

arrives("a packet for a slave's address is the slave's alone; in l3s first the hooks'", toSlave, {
  ...modes("ipvl0", "l2", "l3"),
  ...modes("stack", "l3s"),
});
arrives("IPv6 alike", "w0>own fd00::1>fd00::11", modes("ipvl1", "l2", "l3"));
arrives(
  "another address is the master's own stack's",
  "w0>own 10.0.0.1>10.0.0.2",
  modes("stack", "l2", "l3", "l3s"),
);
arrives(
  "a slave that is down owns nothing",
  "w0>own 10.0.0.1>10.0.0.13",
  modes("stack", "l2", "l3"),
);
arrives(
  "the destination MAC is not looked at",
  "w0>other 10.0.0.1>10.0.0.10",
  modes("ipvl0", "l2", "l3"),
);
arrives(
  "group addresses in unicast frames are the stack's",
  "w0>own 10.0.0.1>239.1.1.1",
  modes("stack", "l2", "l3"),
);
arrives(
  "ARP is its target's, also in l3, where the slave ignores it",
  "w0>own arp 10.0.0.1>10.0.0.10",
  modes("ipvl0", "l2", "l3"),
);
arrives(
  "a duplicate-address probe is its target's",
  "w0>own dad fd00::10",
  modes("ipvl0", "l2", "l3"),
);
arrives(
  "what comes from the own MAC is not looked at twice",
  "own>own 10.0.0.11>10.0.0.10",
  modes("ipvl0", "l2", "l3"),
);
arrives("one tag is set aside", "w0>own vlan 10.0.0.1>10.0.0.10", modes("ipvl0", "l2", "l3"));
arrives(
  "with a second one there is no owner",
  "w0>own qinq vlan 10.0.0.1>10.0.0.10",
  modes("stack", "l2", "l3"),
);
arrives("other types are the stack's", "w0>own type 0x88cc", modes("stack", "l2", "l3"));

// Groups

arrives(
  "l2: broadcast goes to every slave that is up, and to the stack",
  "w0>all arp 10.0.0.1>10.0.0.10",
  modes(everySlave, "l2"),
);
arrives(
  "l2: multicast goes to the slaves that joined, and to the stack",
  "w0>01:00:5e:01:01:01 10.0.0.1>239.1.1.1",
  modes("stack, ipvl1", "l2"),
);
arrives(
  "l2: a group that nobody joined is the stack's",
  "w0>01:00:5e:7f:00:01 10.0.0.1>239.127.0.1",
  modes("stack", "l2"),
);
arrives(
  "l2: unicast IP in a broadcast frame goes to all",
  "w0>all 10.0.0.1>10.0.0.10",
  modes(everySlave, "l2"),
);
arrives("l3: broadcast is the stack's", "w0>all 10.0.0.1>10.0.0.255", modes("stack", "l3", "l3s"));
arrives(
  "l3: unicast IP in a broadcast frame is the owner's",
  "w0>all 10.0.0.1>10.0.0.10",
  modes("ipvl0", "l3"),
);
arrives(
  "l3: ARP for a slave's address is the slave's",
  "w0>all arp 10.0.0.1>10.0.0.10",
  modes("ipvl0", "l3"),
);
arrives("PAUSE is no slave's", "w0>all type 0x8808", modes("stack", "l2", "l3", "l3s"));
arrives("nor is it behind a tag", "w0>all vlan type 0x8808", modes("stack", "l2", "l3", "l3s"));

// A flood of our own comes back

arrives(
  "l2: a slave's flood that comes back: bridge has given it already, private must not, vepa gives it to all others (D1, D2)",
  "own>all arp 10.0.0.10>10.0.0.1",
  {
    "l2 bridge": "stack",
    "l2 private": "stack",
    "l2 vepa": "stack, ipvl1, ipvl2",
    "l2 bridge kernel": "stack",
    "l2 private kernel": "stack",
    "l2 vepa kernel": "stack",
  },
);
arrives(
  "l2: the sender of a probe that comes back is the owner of its target",
  "own>all dad fd00::11",
  {
    "l2 bridge": "stack",
    "l2 vepa": "stack, ipvl0, ipvl2",
  },
);
arrives(
  "l2: from the own MAC and no slave's address it is the master's: slaves get it, but not under private",
  "own>all 10.0.0.2>10.0.0.255",
  {
    "l2 bridge": everySlave,
    "l2 private": "stack",
    "l2 vepa": everySlave,
    "l2 bridge kernel": everySlave,
    "l2 private kernel": everySlave,
    "l2 vepa kernel": everySlave,
  },
);
arrives(
  "l2: a slave's address behind another MAC is not ours",
  "w0>all 10.0.0.10>10.0.0.255",
  modes(everySlave, "l2"),
);

// Bad frames

arrives("a bad header is the stack's to judge", spoilt(toSlave), modes("stack", "l2", "l3", "l3s"));
arrives(
  "a runt too",
  frame(toSlave).set(frame(toSlave).bytes, 8, 13),
  modes("stack", "l2", "l3", "l3s"),
);

function spoilt(words: string): Frame {
  const f = frame(words);
  put8(f, eth.HEADER, 0x44);
  return f;
}

// l3s, behind the hooks

test("l3s: behind the hooks, a packet for a slave's address is the slave's", () => {
  for (const flag of flags) {
    const net = topology(`eth0 l3s ${flag} ${slaves}`);
    assert.deepEqual(net.input("w0>own 10.0.0.1>10.0.0.10"), ["ipvl0"]);
    assert.deepEqual(net.input("w0>own 10.0.0.1>10.0.0.2"), ["stack"]);
  }
});
