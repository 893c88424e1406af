/** What programs ask of the daemon and people do not: slaves made for somebody, on ports that are to stay as they are. */
import assert from "node:assert/strict";
import { afterEach, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { netnsOf, shell } from "../scripts/lab.ts";
import { clientOf } from "../src/client/client.ts";
import { daemonWords } from "../src/client/daemon-words.ts";
import { startDaemon } from "../src/client/start-daemon.ts";
import type { CreateLink } from "../src/daemon/control.ts";
import { daemonDirectory } from "../src/daemon/run-directory.ts";
import { inSandbox } from "./in-sandbox.ts";
import { buildLab, showPorts } from "./slaves.ts";

const HERE = netnsOf("host");
const LABEL = "cni/network/0123abcd/eth0";
const SCRIPT = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));

await inSandbox(import.meta.url, { engines: "both", usually: "ebpf" }, (engine) => {
  before(buildLab);
  afterEach(() => shell("host", "ipvlan daemon stop --remove 2>/dev/null || true"));

  test("who made a slave for somebody finds it by that, after a restart of the daemon as well", async () => {
    await add({ name: "i0", label: LABEL, target: "/run/netns/ns0" });
    await shell("host", "ip -n ns0 link set i0 name other; ipvlan daemon stop");
    await start();
    assert.match(await shell("host", "ipvlan status"), new RegExp(`other .*${LABEL}`));
    await clientOf(HERE).deleteLabelled(LABEL);
    assert.deepEqual(await showPorts(), []);
    await assert.rejects(clientOf(HERE).deleteLabelled(LABEL), { code: "ENODEV" });
  });

  test("only one slave is made for the same", async () => {
    await add({ name: "i0", label: LABEL });
    await assert.rejects(add({ name: "i1", label: LABEL }), {
      code: "EEXIST",
      extack: `there is a slave for ${LABEL}`,
    });
  });

  test("a port keeps its ways for the slaves it has, if asked to", async () => {
    await add({ name: "i0", mode: "l3", flag: "private", keep: true });
    await add({ name: "i1", mode: "l3", keep: true });
    await assert.rejects(add({ name: "i2", mode: "l2", keep: true }), {
      code: "EBUSY",
      extack: "eth0 is in mode l3 private for 2 slaves",
    });
    await assert.rejects(add({ name: "i2", flag: "vepa", keep: true }), { code: "EBUSY" });
    const [port] = await showPorts();
    assert.deepEqual(
      port!.slaves.map(({ name }) => name),
      ["i0", "i1"],
    );
  });

  test("a port has the engine it got first", async () => {
    const other = engine === "ebpf" ? "userspace" : "ebpf";
    await add({ name: "i0", engine });
    await add({ name: "i1", engine: "auto" });
    await assert.rejects(add({ name: "i2", engine: other }), {
      code: "EBUSY",
      extack: `eth0 is in mode l3 bridge with engine ${engine} for 2 slaves`,
    });
  });
});

const start = () => startDaemon(daemonDirectory(HERE), HERE, daemonWords(SCRIPT, HERE));

async function add(link: Omit<CreateLink, "netns" | "master">): Promise<void> {
  await (await start()).createLink({ netns: HERE, master: "eth0", ...link });
}
