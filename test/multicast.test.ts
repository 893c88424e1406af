/**
 * Which slaves get frames to a group: those whose own stacks take it, wherever the frames come from; and what goes to
 * everybody, all of them. Seen at the slaves' devices, by ears that join nothing themselves.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { shell } from "../scripts/lab.ts";
import { withNetns } from "../src/linux/netns.ts";
import * as sys from "../src/linux/sys.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, SYSTEM_IP } from "./slaves.ts";
import { Tap } from "./tap.ts";
import { frame, ip } from "./topology.ts";

/** Longer than a frame takes. */
const PASS_MS = 60;
/** What is joined in silence is found out within a round or two of looking. */
const SOON_MS = 4000;

const GROUPS = [
  ["IPv4", "239.1.2.3", "01:00:5e:01:02:03"],
  ["IPv6", "ff05::1:2:3", "33:33:00:02:00:03"],
] as const;

type Place = "ns0" | "ns1" | "lan";
let taps: Readonly<Record<Place, Tap>>;

await inSandbox(import.meta.url, { engines: "both", usually: "userspace" }, () => {
  before(async () => {
    await buildLab();
    await addSlaves("l2", "bridge");
    const deaf = { joins: false };
    taps = {
      ns0: new Tap("ns0", "ipvl0", deaf),
      ns1: new Tap("ns1", "ipvl1", deaf),
      lan: new Tap("lan", "w0"),
    };
  });
  after(async () => {
    for (const tap of Object.values(taps)) tap.close();
    await shell("host", "ipvlan daemon stop --remove");
  });

  for (const [family, group, mac] of GROUPS)
    describe(`${family}: frames to a group`, () => {
      test("reach no slave while none has joined it", async () => {
        assert.deepEqual(await reached("lan", mac), []);
        assert.deepEqual(await reached("ns1", mac), ["lan"]);
      });

      test("reach the slave with a socket that has joined it, until that is closed", async () => {
        const socket = join("ns0", "ipvl0", group);
        await until(async () => (await reached("lan", mac)).includes("ns0"));
        assert.deepEqual(await reached("lan", mac), ["ns0"]);
        assert.deepEqual(await reached("ns1", mac), ["ns0", "lan"], "from its sibling");
        assert.deepEqual(await reached("ns0", mac), ["lan"], "not who sent it");
        sys.close(socket);
        await until(async () => !(await reached("lan", mac)).includes("ns0"));
      });

      test("reach each slave that has joined it", async () => {
        const sockets = [join("ns0", "ipvl0", group), join("ns1", "ipvl1", group)];
        await until(async () => (await reached("lan", mac)).length === 2);
        sys.close(sockets[0]!);
        await until(async () => !(await reached("lan", mac)).includes("ns0"));
        assert.deepEqual(await reached("lan", mac), ["ns1"]);
        sys.close(sockets[1]!);
        await until(async () => (await reached("lan", mac)).length === 0);
      });
    });

  describe("a slave that takes", () => {
    const mac = "01:00:5e:7f:00:01";
    beforeEach(async () => assert.deepEqual(await reached("lan", mac), []));

    for (const [what, device, on, off] of [
      ["a MAC in silence", "ipvl0", "maddr add", "maddr del"],
      ["all groups", "ipvl1", "allmulticast on", "allmulticast off"],
      ["all frames", "ipvl1", "promisc on", "promisc off"],
    ] as const)
      test(`${what} gets frames to the group soon, and no more when it does not`, async () => {
        const end = device === "ipvl0" ? "ns0" : "ns1";
        const set = (change: string) =>
          change.startsWith("maddr")
            ? shell(end, `${SYSTEM_IP} ${change} ${mac} dev ${device}`)
            : shell(end, `${SYSTEM_IP} link set ${device} ${change}`);
        await set(on);
        await until(async () => (await reached("lan", mac)).includes(end));
        assert.deepEqual(await reached("lan", mac), [end]);
        await set(off);
        await until(async () => (await reached("lan", mac)).length === 0);
      });
  });

  test("broadcast reaches all but who sent it", async () => {
    assert.deepEqual(await reached("lan", "all"), ["ns0", "ns1"]);
    assert.deepEqual(await reached("ns0", "all"), ["ns1", "lan"]);
  });
});

/** Sends a frame to a MAC; where it arrives. */
async function reached(from: Place, mac: string): Promise<Place[]> {
  const sent = Buffer.from(frame(`${from === "lan" ? "w0" : "own"}>${mac} type 0x88b5`).view());
  sent.writeUInt32BE(serial++, sent.length - 4);
  for (const tap of Object.values(taps)) tap.heard();
  taps[from].send(sent);
  await sleep(PASS_MS);
  return (["ns0", "ns1", "lan"] as const).filter(
    (place) => place !== from && taps[place].heard().some((one) => one.equals(sent)),
  );
}
let serial = 0;

/** A socket that has joined a group on a device; the group is left when it is closed. */
function join(end: string, device: string, group: string): number {
  const [SOL_IP, IP_ADD_MEMBERSHIP, SOL_IPV6, IPV6_JOIN_GROUP] = [0, 35, 41, 20];
  return withNetns(end, () => {
    const index = Buffer.alloc(4);
    index.writeInt32LE(sys.ifIndex(device));
    const isV6 = group.includes(":");
    const fd = sys.socket(isV6 ? sys.AF_INET6 : sys.AF_INET, sys.SOCK_DGRAM, 0);
    // struct ipv6_mreq; struct ip_mreqn
    if (isV6) {
      const request = Buffer.concat([ip(group), index]);
      sys.setsockopt(fd, SOL_IPV6, IPV6_JOIN_GROUP, request, `join ${group}`);
    } else {
      const request = Buffer.concat([ip(group), ip("0.0.0.0"), index]);
      sys.setsockopt(fd, SOL_IP, IP_ADD_MEMBERSHIP, request, `join ${group}`);
    }
    return fd;
  });
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + SOON_MS;
  while (!(await isSo())) assert.ok(performance.now() < deadline, `not within ${SOON_MS} ms`);
}
