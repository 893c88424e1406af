/** What a slave's frame meets, rule by rule; a column is a port's mode and flag, compat howto unless said. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { frame, topology } from "../../../test/topology.ts";
import * as eth from "../../wire/ethernet.ts";
import { type Frame, put8, put16 } from "../../wire/frame.ts";

const slaves = `
  ipvl0  10.0.0.10 fd00::10
  ipvl1  10.0.0.11 fd00::11 joins 01:00:5e:01:01:01
  ipvl2
  ipvl3  10.0.0.13 down
`;

/** What becomes of a frame that ipvl0 sends, by column: the places where it comes out, in order. */
function sends(sentence: string, words: string | Frame, columns: Readonly<Record<string, string>>) {
  test(sentence, () => {
    for (const [column, places] of Object.entries(columns)) {
      const net = topology(`eth0 ${column} ${slaves}`);
      assert.equal(net.send("ipvl0", words).join(", "), places, column);
    }
  });
}

/** The same in every mode and flag that begin so. */
function inAll(prefix: string, places: string, ...compats: string[]): Record<string, string> {
  const columns = ["l2", "l3", "l3s"]
    .flatMap((mode) => ["bridge", "private", "vepa"].map((flag) => `${mode} ${flag}`))
    .flatMap((column) => (compats.length === 0 ? ["howto"] : compats).map((c) => `${column} ${c}`))
    .filter((column) => column.startsWith(prefix));
  return Object.fromEntries(columns.map((column) => [column, places]));
}

function changed(words: string, change: (f: Frame) => void): Frame {
  const f = frame(words);
  change(f);
  return f;
}

// l2: neighbours on this very master

const toSibling = "own>own 10.0.0.10>10.0.0.11";

sends(
  "l2: a frame to the own MAC goes to the slave that holds the address, if the flag lets it",
  toSibling,
  {
    "l2 bridge": "ipvl1",
    "l2 private": "dropped: isolated",
    "l2 vepa": "wire",
  },
);
sends("l2: IPv6 alike", "own>own fd00::10>fd00::11", {
  "l2 bridge": "ipvl1",
  "l2 private": "dropped: isolated",
  "l2 vepa": "wire",
});
sends("l2: the target of an ARP message is its destination", "own>own arp 10.0.0.10>10.0.0.11", {
  "l2 bridge": "ipvl1",
  "l2 private": "dropped: isolated",
  "l2 vepa": "wire",
});
sends("l2: the target of a duplicate-address probe is its destination", "own>own dad fd00::11", {
  "l2 bridge": "ipvl1",
  "l2 private": "dropped: isolated",
  "l2 vepa": "wire",
});
sends("l2: a slave's own address is local too", "own>own 10.0.0.10>10.0.0.10", {
  "l2 bridge": "ipvl0",
  "l2 private": "dropped: isolated",
  "l2 vepa": "wire",
});
sends(
  "l2: nobody's address at the own MAC is the master's own, or lost there",
  "own>own 10.0.0.10>10.0.0.2",
  {
    "l2 bridge": "stack",
    "l2 private": "stack",
    "l2 vepa": "wire",
  },
);
sends("l2: a slave that is down owns nothing", "own>own 10.0.0.10>10.0.0.13", {
  "l2 bridge": "stack",
  "l2 private": "stack",
});
sends("l2: a sibling's address at another MAC leaves", "own>w0 10.0.0.10>10.0.0.11", {
  ...inAll("l2", "wire", "howto", "kernel"),
});
sends("l2: what is not IP leaves too", "own>w0 type 0x88cc", inAll("l2", "wire"));
sends("l2: what is not IP, to the own MAC, is nobody's", "own>own type 0x88cc", {
  "l2 bridge": "stack",
  "l2 vepa": "wire",
});

// l2: VLAN tags

sends(
  "l2: one tag is set aside to ask whose the address is (D3)",
  "own>own vlan 10.0.0.10>10.0.0.11",
  {
    "l2 bridge": "ipvl1",
    "l2 private": "dropped: isolated",
    "l2 private kernel": "ipvl1",
    "l2 vepa": "wire",
  },
);
sends("l2: so is one of 802.1ad", "own>own qinq 10.0.0.10>10.0.0.11", { "l2 bridge": "ipvl1" });
sends("l2: with a second tag left, a frame has no owner", "own>own qinq vlan 10.0.0.10>10.0.0.11", {
  "l2 bridge": "stack",
  "l2 private": "stack",
});

// l2: groups

sends(
  "l2: broadcast goes to the other slaves that are up and out, but under private and vepa only out (D1, D2)",
  "own>all arp 10.0.0.10>10.0.0.11",
  {
    "l2 bridge": "wire, ipvl1, ipvl2",
    "l2 private": "wire",
    "l2 vepa": "wire",
    ...inAll("l2", "wire, ipvl1, ipvl2", "kernel"),
  },
);
sends("l2: multicast goes to the slaves that joined", "own>01:00:5e:01:01:01 10.0.0.10>239.1.1.1", {
  "l2 bridge": "wire, ipvl1",
  "l2 private": "wire",
  "l2 vepa": "wire",
  ...inAll("l2", "wire, ipvl1", "kernel"),
});
sends(
  "l2: a group that nobody joined leaves",
  "own>01:00:5e:7f:00:01 10.0.0.10>239.127.0.1",
  inAll("l2", "wire"),
);
sends(
  "l2: PAUSE is for this link only, and dropped",
  "own>01:80:c2:00:00:01 type 0x8808",
  inAll("l2", "dropped: pause", "howto", "kernel"),
);

// l2: what a hostile namespace may try

sends("l2: a forged source MAC is dropped (D4)", "other>w0 10.0.0.10>10.0.0.1", {
  ...inAll("l2", "dropped: forged-mac"),
  ...inAll("l2", "wire", "kernel"),
});
sends("l2: a forged source MAC reaches no sibling (D4)", "other>other 10.0.0.10>10.0.0.11", {
  ...inAll("l2", "dropped: forged-mac"),
  "l2 bridge kernel": "ipvl1",
});
sends("l2: a forged source address passes", "own>own 10.9.9.9>10.0.0.11", { "l2 bridge": "ipvl1" });

// l2: duplicate-address probes

sends(
  "l2: the probe for the address all slaves would form is swallowed (D10)",
  "own>33:33:ff:00:00:02 dad fe80::ff:fe00:2",
  {
    ...inAll("l2", "dropped: shared-probe", "howto", "kernel"),
  },
);
for (const target of [
  "fe80::ff:fe00:3",
  "fe80::1ff:fe00:2",
  "fe80::200:0:100:2",
  "fe80:0:0:1:0:ff:fe00:2",
])
  sends(`l2: a probe for ${target} leaves`, `own>33:33:ff:00:00:02 dad ${target}`, {
    "l2 bridge": "wire",
  });

// l3 and l3s

sends(
  "l3: an address that a slave holds is its own, whatever the MAC",
  "own>w0 10.0.0.10>10.0.0.11",
  {
    "l3 bridge": "ipvl1",
    "l3s bridge": "ipvl1",
    "l3 private": "dropped: isolated",
    "l3s private": "dropped: isolated",
    "l3 vepa": "route",
    "l3s vepa": "route",
  },
);
sends("l3: even in a broadcast frame", "own>all 10.0.0.10>10.0.0.11", {
  "l3 bridge": "ipvl1",
  "l3 private": "dropped: isolated",
  "l3 vepa": "dropped: group-in-l3",
});
sends(
  "l3: a forged MAC may reach a sibling, whose stack drops it",
  "other>own 10.0.0.10>10.0.0.11",
  {
    "l3 bridge": "ipvl1",
  },
);
sends("l3: another address is the routes'", "own>w0 10.0.0.10>10.0.0.1", {
  ...inAll("l3", "route", "howto", "kernel"),
});
sends(
  "l3: an address of the master's namespace too",
  "own>own 10.0.0.10>10.0.0.2",
  inAll("l3", "route"),
);
sends("l3: a slave that is down owns nothing", "own>own 10.0.0.10>10.0.0.13", {
  "l3 bridge": "route",
  "l3 private": "route",
});
sends(
  "l3: broadcast and multicast are not sent",
  "own>all 10.0.0.10>255.255.255.255",
  inAll("l3", "dropped: group-in-l3", "howto", "kernel"),
);
sends(
  "l3: nor IPv4 to a group in a unicast frame",
  "own>own 10.0.0.10>239.1.1.1",
  inAll("l3", "dropped: group-in-l3"),
);
sends(
  "l3: nor IPv4 to everybody in a unicast frame",
  "own>own 10.0.0.10>255.255.255.255",
  inAll("l3", "dropped: group-in-l3"),
);
sends(
  "l3: but IPv6 to a group in a unicast frame is the routes'",
  "own>own fd00::10>ff02::1",
  inAll("l3", "route"),
);
sends(
  "l3: 0.0.0.0 is the routes', which take it for the master's own",
  "own>own 10.0.0.10>0.0.0.0",
  inAll("l3", "route"),
);
sends(
  "l3: a loopback source is refused in IPv4",
  "own>w0 127.0.0.1>10.0.0.1",
  inAll("l3", "dropped: bad-source"),
);
sends("l3: and passes in IPv6", "own>w0 ::1>fd00::1", inAll("l3", "route"));
sends("l3: ARP finds a sibling", "own>own arp 10.0.0.10>10.0.0.11", {
  "l3 bridge": "ipvl1",
  "l3 private": "dropped: isolated",
  "l3 vepa": "dropped: not-ip",
});
sends(
  "l3: and is dropped otherwise",
  "own>own arp 10.0.0.10>10.0.0.1",
  inAll("l3", "dropped: not-ip"),
);
sends(
  "l3: ARP in a broadcast frame for nobody's address is a group frame",
  "own>all arp 10.0.0.10>10.0.0.1",
  inAll("l3", "dropped: group-in-l3"),
);
sends("l3: other types do not leave", "own>w0 type 0x88cc", inAll("l3", "dropped: not-ip"));
sends(
  "l3: nor do tags, not even to a sibling",
  "own>own vlan 10.0.0.10>10.0.0.11",
  inAll("l3", "dropped: not-ip"),
);

// Bad headers

const badIpv4: Readonly<Record<string, (f: Frame) => void>> = {
  "IHL of 4": (f) => put8(f, eth.HEADER, 0x44),
  "version of 6": (f) => put8(f, eth.HEADER, 0x65),
  "total length beyond the frame": (f) => put16(f, eth.HEADER + 2, 65),
  "total length below the header": (f) => put16(f, eth.HEADER + 2, 19),
};
for (const [what, spoil] of Object.entries(badIpv4)) {
  const spoilt = () => changed(toSibling, spoil);
  sends(`an IPv4 ${what} has no owner, and is routing's to judge`, spoilt(), {
    "l2 bridge": "stack",
    "l2 private": "stack",
    "l3 bridge": "route",
  });
}
sends(
  "an IPv6 version of 4 has no owner",
  changed("own>own fd00::10>fd00::11", (f) => put8(f, eth.HEADER, 0x40)),
  {
    "l2 bridge": "stack",
    "l3 bridge": "route",
  },
);
sends(
  "the IPv6 payload length is nobody's business",
  changed("own>own fd00::10>fd00::11", (f) => put16(f, eth.HEADER + 4, 9999)),
  {
    "l2 bridge": "ipvl1",
  },
);

const cut = (words: string, length: number): Frame =>
  changed(words, (f) => f.set(f.bytes, f.start, length));

sends(
  "a frame shorter than a header is dropped",
  cut(toSibling, 13),
  inAll("", "dropped: runt", "howto", "kernel"),
);
sends("a truncated IPv4 header has no owner and no route", cut(toSibling, 33), {
  "l2 bridge": "stack",
  "l3 bridge": "dropped: not-ip",
});
sends("a truncated IPv6 header has no owner and no route", cut("own>own fd00::10>fd00::11", 53), {
  "l2 bridge": "stack",
  "l3 bridge": "dropped: not-ip",
});
sends("a truncated ARP message has no owner", cut("own>own arp 10.0.0.10>10.0.0.11", 41), {
  "l2 bridge": "stack",
  "l3 bridge": "dropped: not-ip",
});
