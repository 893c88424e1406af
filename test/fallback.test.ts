/**
 * Slaves work all the same on a kernel without tcx (below 6.6), and with the userspace engine on one without nf_tables'
 * netdev hooks and without tc.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isAsPromised, pingAll, readColumns } from "../scripts/connectivity.ts";
import { addLanRoutes, shell } from "../scripts/lab.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, forget, setPort, showPorts } from "./slaves.ts";

await inSandbox(import.meta.url, { engines: "both" }, (engine) => {
  before(async () => {
    process.env.IPVLAN_WITHOUT = WITHOUT[engine]; // for the daemon that the first command starts
    await buildLab();
    await addSlaves("l2", "bridge");
    await addLanRoutes();
    // Now the stack would answer, redirect and forward what it should never have seen.
    await shell(
      "host",
      "for v in 4/ip_forward 6/conf/all/forwarding; do echo 1 > /proc/sys/net/ipv$v; done",
    );
  });
  after(() => shell("host", "ipvlan daemon stop --remove"));

  const columns = readColumns().filter(({ variant }) => variant === "routed");
  for (const column of columns.filter(({ mode, flag }) => mode === "l3s" || flag === "bridge"))
    test(`${column.mode} ${column.flag}: every end pings every other as with them`, async () => {
      await setPort(column.mode, column.flag);
      await forget();
      const [port] = await showPorts();
      const consumption = engine === "ebpf" ? "tc" : "routes";
      assert.equal(port!.consumption, column.mode === "l3s" ? "l3s" : consumption);
      assert.equal(port!.wayUp, engine === "ebpf" ? "tc" : "raw sockets");
      const unexpected = (await pingAll(column)).filter((outcome) => !isAsPromised(outcome));
      assert.deepEqual(unexpected, []);
    });
});

const WITHOUT = { ebpf: "tcx", userspace: "nftables tc" } as const;
