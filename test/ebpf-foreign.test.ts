/**
 * What others have at the master's hook stays, works, and does not disturb the port: programs by tcx before and behind
 * ours, a clsact with a filter; on a kernel without tcx, too, where ours is a filter of the same clsact.
 */
import assert from "node:assert/strict";
import { unlinkSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { ADDRESS, BIN, netnsOf, shell } from "../scripts/lab.ts";
import { ping } from "../scripts/ping.ts";
import { Assembler } from "../src/bpf/assembler.ts";
import { startDaemon } from "../src/client/start-daemon.ts";
import { daemonDirectory } from "../src/daemon/run-directory.ts";
import { attachTcx, mountBpffs, pin, queryTcx } from "../src/linux/bpf/links.ts";
import { BpfMap } from "../src/linux/bpf/maps.ts";
import { loadProgram } from "../src/linux/bpf/programs.ts";
import { NetlinkSocket } from "../src/linux/netlink/socket.ts";
import { findClsBpf } from "../src/linux/netlink/tc.ts";
import * as sys from "../src/linux/sys.ts";
import { needsBpf } from "./bpf.ts";
import { addSlave, client, ports } from "./crowd.ts";
import { daemonPid } from "./daemon.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, deleteSlaves } from "./slaves.ts";

const ANSWER_MS = 3000;

await inSandbox(import.meta.url, {}, () => {
  const skip = needsBpf;
  before(buildLab);

  describe("programs of others by tcx, before ours and behind it", { skip }, () => {
    let [first, last]: Counter[] = [];
    before(async () => {
      first = new Counter("tcx");
      await addSlaves("l2", "bridge");
      last = new Counter("tcx");
    });
    after(() => shell("host", "ipvlan daemon stop --remove"));

    test("each sees the frames that reach it, and the slaves answer", async () => {
      await answers("lan", ADDRESS.ns0.v4);
      await answers("lan", ADDRESS.host.v4);
      assert.ok(first!.count >= 2, "of a slave, and of the host");
      assert.ok(last!.count >= 1, "of the host");
      assert.ok(last!.count < first!.count, "ours takes the slaves' own");
    });
    test("ours keeps its place when another daemon takes over", async () => {
      const order = hook();
      assert.equal(order.length, 3);
      await restart();
      assert.deepEqual(
        hook().map(({ linkId }) => linkId),
        order.map(({ linkId }) => linkId),
      );
      assert.notEqual(hook()[1]!.programId, order[1]!.programId);
      await answers("lan", ADDRESS.ns0.v4);
    });
    test("they stay when the port ends", async () => {
      await deleteSlaves();
      assert.equal(hook().length, 2);
      const { count } = first!;
      await answers("lan", ADDRESS.host.v4);
      assert.ok(first!.count > count);
      for (const one of [first!, last!]) one.close();
      assert.deepEqual(hook(), []);
    });
  });

  for (const without of ["", "tcx"])
    describe(`a clsact of another's ${without === "" ? "beside tcx" : "where there is no tcx"}`, {
      skip,
    }, () => {
      let filter: Counter;
      before(async () => {
        process.env.IPVLAN_WITHOUT = without; // for the daemon that the first command starts
        filter = new Counter("file");
        await shell("host", `tc qdisc add dev eth0 clsact; ${ADD_FILTER}`);
        await addSlaves("l2", "bridge");
      });
      after(async () => {
        delete process.env.IPVLAN_WITHOUT;
        filter.close();
        await shell("host", "ipvlan daemon stop --remove");
      });
      const isOurs = (): boolean => ownFilter() !== undefined;

      test("ours is beside it, and the next daemon's in its place", async () => {
        assert.equal(isOurs(), without !== "");
        await answers("lan", ADDRESS.ns0.v4);
        await restart();
        assert.equal(isOurs(), without !== "");
        await answers("lan", ADDRESS.ns0.v4);
      });

      test("another engine that takes the place of ours has its way up", async () => {
        await setEngine("userspace");
        assert.equal((await ports())[0]!.wayUp, "tc");
        assert.equal(isOurs(), false);
        await answers("ns0", ADDRESS.ns1.v4);
        await setEngine("ebpf");
        assert.equal(isOurs(), without !== "");
        await answers("ns0", ADDRESS.ns1.v4);
      });

      test("it stays when the port ends, and its filter counts on", async () => {
        for (const [n, netns] of ["ns0", "ns1"].entries())
          await client().deleteLink(`/run/netns/${netns}`, `ipvl${n}`);
        assert.equal(isOurs(), false);
        const { count } = filter;
        await answers("lan", ADDRESS.host.v4);
        assert.ok(filter.count > count);
      });

      test("an empty one stays, too", async () => {
        await shell("host", "tc filter del dev eth0 ingress prio 7");
        await withPort(async () => assert.equal(isOurs(), without !== ""));
        assert.match(await shell("host", "tc qdisc show dev eth0"), /clsact/);
      });

      test("none is left that was not there", async () => {
        await shell("host", "tc qdisc del dev eth0 clsact");
        await withPort(restart);
        assert.doesNotMatch(await shell("host", "tc qdisc show dev eth0"), /clsact/);
      });

      test("a filter that came after ours stays", async () => {
        await withPort(() => shell("host", `tc qdisc add dev eth0 clsact || true; ${ADD_FILTER}`));
        assert.match(await shell("host", "tc filter show dev eth0 ingress"), /pref 7/);
        await shell("host", "tc qdisc del dev eth0 clsact");
      });
    });
});

/** Engines are changed by the client, whose answer comes ten times as fast as a command's. */
const setEngine = (engine: "ebpf" | "userspace"): Promise<unknown> =>
  client().changePort({ netns: netnsOf("host"), master: "eth0", engine });

async function withPort(section: () => Promise<unknown>): Promise<void> {
  await addSlave("only", "ns0");
  await section();
  await client().deleteLink("/run/netns/ns0", "only");
}

const BPFFS = "/run/theirs";
const ADD_FILTER = `tc filter add dev eth0 ingress prio 7 bpf da pinned ${BPFFS}/count`;

/** Somebody's program at the master's ingress, by tcx or as a file for tc(8): it counts what comes by, and lets it pass. */
class Counter {
  readonly #map: BpfMap = BpfMap.create({
    type: "array",
    name: "count",
    keySize: 4,
    valueSize: 8,
    maxEntries: 1,
  });
  readonly #link: number | undefined;

  constructor(way: "tcx" | "file") {
    const a = new Assembler();
    a.loadMapValue(1, "count", 0).load(8, 2, 1, 0).alu("add", 2, 1).store(8, 1, 0, 2);
    const program = loadProgram(a.move(0, -1).exit().finish("count"), { count: this.#map.fd });
    if (way === "tcx") this.#link = attachTcx(program, sys.ifIndex("eth0"), "ingress");
    else {
      mountBpffs(BPFFS);
      pin(program, `${BPFFS}/count`);
    }
    sys.close(program);
  }
  get count(): number {
    return Number(this.#map.counters(new Uint8Array(4))![0]);
  }
  close(): void {
    if (this.#link === undefined) unlinkSync(`${BPFFS}/count`);
    else sys.close(this.#link);
    this.#map.close();
  }
}

const hook = () => queryTcx(sys.ifIndex("eth0"), "ingress");

function ownFilter(): number | undefined {
  const socket = NetlinkSocket.open();
  try {
    return findClsBpf(socket, sys.ifIndex("eth0"), "ingress");
  } finally {
    socket.close();
  }
}

/** The daemon is killed, and the next one takes over. */
async function restart(): Promise<void> {
  process.kill(daemonPid(), "SIGKILL");
  const netns = netnsOf("host");
  await startDaemon(daemonDirectory(netns), netns, [`${BIN}/ipvlan`, "daemon", "run"]);
}

async function answers(end: string, to: string): Promise<void> {
  assert.notEqual(await ping({ netns: end, to }, ANSWER_MS), undefined, `${end} -> ${to}`);
}
