import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HooksLab, needsLab } from "../../../test/hooks-lab.ts";
import { until } from "../../../test/neighbours.ts";
import { inScratch } from "../../../test/scratch-netns.ts";
import { ip } from "../../../test/topology.ts";
import { RTM_DELROUTE, RTM_DELRULE } from "../../linux/netlink/constants.ts";
import {
  getLink,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_IPV6_RULE,
  setLink,
} from "../../linux/netlink/link.ts";
import { NetlinkSocket } from "../../linux/netlink/socket.ts";
import { withNetns } from "../../linux/netns.ts";
import { HooksIntake } from "./hooks-intake.ts";

const skip = needsLab;
const W0 = "02:00:00:00:00:01";
const SLAVE4 = "10.0.0.10";
const SLAVE6 = "fd00::10";

/** `prepare`: shell lines for the host before the port is there. */
const inLab = (body: (lab: HooksLab, intake: HooksIntake) => void, prepare = "true") =>
  inScratch((scratch) => {
    const lab = new HooksLab(scratch);
    lab.run(prepare);
    const intake = open(lab);
    body(lab, intake);
    intake.close();
  });

function open(lab: HooksLab): HooksIntake {
  const intake = new HooksIntake(lab);
  intake.add([SLAVE4, SLAVE6].map(ip));
  return intake;
}

/** A slave's packet leaves for the LAN, to this MAC. */
function leaves(lab: HooksLab, to: string, mac: string = W0): void {
  const from = to.includes(":") ? SLAVE6 : SLAVE4;
  lab.sendSlave(`${from}>${to}`);
  assert.equal(lab.hear("w0", `${from}>${to}`), `${mac} hops 64`);
}

/** All that went before is through when this is. */
const marker = (lab: HooksLab): void => leaves(lab, "10.0.0.1");

/** Whether a device carries what the pattern says before a packet that was sent afterwards. */
function hears(lab: HooksLab, at: "y0" | "w0", pattern: RegExp): boolean {
  lab.sendSlave(`${SLAVE4}>10.0.0.1`);
  const lines: string[] = [];
  until(() => {
    lines.push(...lab.heard("w0"));
    return lines.some((line) => line.startsWith(`${SLAVE4}>10.0.0.1 `));
  });
  return (at === "w0" ? lines : lab.heard(at)).some((line) => pattern.test(line));
}

describe("hop limits are at their goal what they were at their start", () => {
  const FULL = [1, 64, 254, 255];
  for (const [family, slave, far] of [
    ["IPv4", SLAVE4, "10.0.0.1"],
    ["IPv6", SLAVE6, "fd00::1"],
  ] as const) {
    test(
      `${family}, from a slave`,
      { skip },
      inLab((lab) => {
        // Without nf_tables nobody gives the hop back where a packet has no room for it.
        for (const hops of lab.netfilter ? FULL : FULL.slice(0, -1)) {
          lab.sendSlave(`${slave}>${far}`, hops);
          assert.equal(lab.hear("w0", `${slave}>${far}`), `${W0} hops ${hops}`);
        }
      }),
    );

    test(
      `${family}, to a slave, but for the hop that the data path gives back`,
      { skip },
      inLab((lab) => {
        for (const hops of [2, 64, 254, 255]) {
          lab.send("w0", `${far}>${slave}`, hops);
          assert.match(lab.hear("down", `${far}>${slave}`), new RegExp(` hops ${hops - 1}$`));
        }
      }),
    );
  }
});

describe("a slave's packet", () => {
  test(
    "goes to the gateway that the master's route names, of either family",
    { skip },
    inLab(
      (lab) => {
        for (const to of ["10.5.0.1", "10.6.0.1", "192.0.2.1", "2001:db8::1"]) leaves(lab, to);
        leaves(lab, "10.7.0.7", "02:00:00:00:00:07");
      },
      `ip route add 10.5.0.0/16 via 10.0.0.1
       ip route add 10.6.0.0/16 via inet6 fd00::1 dev m0
       ip route add default via 10.0.0.1
       ip route add default via fd00::1
       ip route add 10.7.0.0/16 via 10.0.0.77 dev m0 onlink
       ip neigh add 10.0.0.77 lladdr 02:00:00:00:00:07 dev m0`,
    ),
  );

  test(
    "may come from an address that is the master's as well",
    { skip },
    inLab((lab) => {
      lab.sendSlave("10.0.0.2>10.0.0.1");
      assert.equal(lab.hear("w0", "10.0.0.2>10.0.0.1"), `${W0} hops 64`);
    }),
  );

  test(
    "leaves by the master only, whatever other devices have routes for",
    { skip },
    inLab((lab) => {
      lab.sendSlave(`${SLAVE4}>10.9.0.1`);
      lab.sendSlave(`${SLAVE6}>fd09::1`);
      assert.ok(hears(lab, "w0", /arp who-has 10.9.0.1/), "on the link, as without a route");
      assert.deepEqual(lab.heard("y0"), []);
    }),
  );

  test(
    "follows routes with several gateways by one of the master's",
    { skip },
    inLab(
      (lab) => {
        leaves(lab, "10.5.0.1");
        leaves(lab, "2001:db8::1");
      },
      `ip route add 10.5.0.0/16 nexthop via 10.0.0.1 nexthop via 10.9.0.1
       ip route add 2001:db8::/32 nexthop via fd00::1 nexthop via fd09::1`,
    ),
  );

  test(
    "follows routes that came and went since",
    { skip },
    inLab((lab, intake) => {
      lab.run("ip route add 10.5.0.0/16 via 10.0.0.1; ip route add 2001:db8::/32 via fd00::1");
      intake.refresh();
      leaves(lab, "10.5.0.1");
      leaves(lab, "2001:db8::1");
      lab.run("ip route del 10.5.0.0/16; ip route del 2001:db8::/32");
      intake.refresh();
      lab.sendSlave(`${SLAVE6}>2001:db8::1`);
      lab.sendSlave(`${SLAVE4}>10.5.0.2`);
      assert.ok(hears(lab, "w0", /arp who-has 10.5.0.2/), "on the link");
      assert.ok(!hears(lab, "w0", />2001:db8::1/));
    }),
  );

  test(
    "leaves as before when the master was down in between",
    { skip },
    inLab((lab, intake) => {
      const { socket, ifindex } = lab.master;
      for (const up of [false, true]) {
        setLink(socket, ifindex, { up });
        intake.refresh();
      }
      until(() => getLink(socket, ifindex)!.operstate === "UP");
      intake.refresh();
      leaves(lab, "10.0.0.1");
      lab.sendSlave(`${SLAVE4}>192.0.2.9`);
      assert.ok(hears(lab, "w0", /arp who-has 192.0.2.9/));
    }),
  );

  test(
    "leaves also if the master was down when the port was made",
    { skip },
    inScratch((scratch) => {
      const lab = new HooksLab(scratch);
      const { socket, ifindex } = lab.master;
      setLink(socket, ifindex, { up: false });
      const intake = open(lab);
      setLink(socket, ifindex, { up: true });
      until(() => getLink(socket, ifindex)!.operstate === "UP");
      intake.refresh();
      leaves(lab, "10.0.0.1");
      intake.close();
    }),
  );

  for (const value of [1, 2])
    test(
      `passes with rp_filter=${value}, and so does its answer`,
      { skip },
      inLab((lab) => {
        marker(lab);
        lab.send("w0", `10.0.0.1>${SLAVE4}`);
        lab.hear("down", `10.0.0.1>${SLAVE4}`);
      }, `for d in all default m0 up; do echo ${value} > /proc/sys/net/ipv4/conf/$d/rp_filter; done`),
    );
});

describe("other traffic", () => {
  const send = (lab: HooksLab) => {
    lab.send("w0", "10.0.0.1>10.9.0.1");
    lab.send("w0", "fd00::1>fd09::1");
    marker(lab);
    return lab.heard("y0").map((line) => line.split(" ")[0]);
  };

  test(
    "is not forwarded by a host that did not forward before",
    { skip },
    inLab((lab) => assert.deepEqual(send(lab), [])),
  );

  test(
    "is forwarded by a host that did before",
    { skip },
    inLab(
      (lab) => assert.deepEqual(send(lab), ["10.0.0.1>10.9.0.1", "fd00::1>fd09::1"]),
      "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
    ),
  );
});

describe("a host that begins to forward meanwhile", () => {
  const FORWARD =
    "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";

  test(
    "forwards what comes in by the master, too, and goes on when the port has gone",
    { skip },
    inScratch((scratch) => {
      const lab = new HooksLab(scratch);
      const intake = open(lab);
      lab.run(FORWARD);
      intake.refresh();
      for (const close of [() => {}, () => intake.close()]) {
        close();
        lab.send("w0", "10.0.0.1>10.9.0.1");
        lab.hear("y0", "10.0.0.1>10.9.0.1");
        lab.send("w0", "fd00::1>fd09::1");
        lab.hear("y0", "fd00::1>fd09::1");
      }
    }),
  );

  test(
    "but for one whose IPv4 alone forwarded before: its IPv6 does not, for all that",
    { skip },
    inLab((lab) => {
      lab.send("w0", "fd00::1>fd09::1");
      lab.send("w0", "10.0.0.1>10.9.0.1");
      lab.hear("y0", "10.0.0.1>10.9.0.1");
      assert.deepEqual(lab.heard("y0"), []);
    }, "echo 1 > /proc/sys/net/ipv4/ip_forward"),
  );
});

describe("the host's namespace", () => {
  for (const killed of [0, 1, 2])
    test(
      `is afterwards as before, ${killed} of our instances having been killed`,
      { skip },
      inScratch((scratch) => {
        const lab = new HooksLab(scratch);
        const before = lab.snapshot();
        for (let n = 0; n < killed; n++) open(lab);
        const intake = open(lab);
        marker(lab);
        lab.run("ip neigh flush all");
        assert.notDeepEqual(lab.snapshot(), before);
        intake.close();
        assert.deepEqual(lab.snapshot(), before);
      }),
    );
});

describe("a run that finds what a former one left", () => {
  const eventsOf = (lab: HooksLab) =>
    withNetns(lab.link.netns, () =>
      NetlinkSocket.open({
        groups: [RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE],
      }),
    );

  test(
    "takes nothing of it away, so that no packet is lost meanwhile",
    { skip },
    inLab((lab) => {
      const events = eventsOf(lab);
      const next = open(lab);
      next.keepOnly([SLAVE4, SLAVE6].map(ip));
      const told: number[] = [];
      for (let got = events.receive(); Array.isArray(got); got = events.receive())
        told.push(...got.map(({ type }) => type));
      events.close();
      assert.deepEqual(
        told.filter((type) => type === RTM_DELRULE || type === RTM_DELROUTE),
        [],
      );
      marker(lab);
      next.close();
    }),
  );

  test(
    "forgets the slaves that are no more",
    { skip },
    inLab((lab) => {
      const next = new HooksIntake(lab);
      next.keepOnly([ip(SLAVE6)]);
      lab.send("w0", `10.0.0.1>${SLAVE4}`);
      lab.send("w0", `fd00::1>${SLAVE6}`);
      lab.hear("down", `fd00::1>${SLAVE6}`);
      assert.deepEqual(
        lab.heard("down").filter((line) => line.includes(SLAVE4)),
        [],
      );
      next.close();
    }),
  );

  test(
    "puts back in the end what was before the former one",
    { skip },
    inLab((lab) => {
      open(lab).close();
      lab.run("test $(cat /proc/sys/net/ipv4/conf/m0/forwarding) = 0");
      lab.run("test $(cat /proc/sys/net/ipv4/conf/up/accept_local) = 0");
    }),
  );
});
