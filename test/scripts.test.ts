/**
 * Scripts written for the kernel's ipvlan, run as they are, from a folder outside the repository, by a shell whose `ip`
 * is our command: the HOWTO's, and some that others published. Those are not ours to copy: they are run where
 * IPVLAN_SCRIPTS names a folder that has them.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, before, beforeEach, test } from "node:test";
import { ADDRESS, BIN, shell } from "../scripts/lab.ts";
import { inSandbox } from "./in-sandbox.ts";
import { buildLab, SYSTEM_IP } from "./slaves.ts";

/** The example of the IPVLAN HOWTO, section 7; who follows it types the namespaces' part into a shell there. */
const HOWTO = `
ip netns add ns0
ip netns add ns1
ip link add link eth0 ipvl0 type ipvlan mode l2
ip link add link eth0 ipvl1 type ipvlan mode l2
ip link set dev ipvl0 netns ns0
ip link set dev ipvl1 netns ns1
ip netns exec ns0 bash <<'END'
ip link set dev ipvl0 up
ip link set dev lo up
ip -4 addr add 127.0.0.1 dev lo
ip -4 addr add $IPADDR0 dev ipvl0
ip -4 route add default via $ROUTER dev ipvl0
END
ip netns exec ns1 bash <<'END'
ip link set dev ipvl1 up
ip link set dev lo up
ip -4 addr add 127.0.0.1 dev lo
ip -4 addr add $IPADDR1 dev ipvl1
ip -4 route add default via $ROUTER dev ipvl1
END
`;

/** What others published, and what of its output says that all went well. */
const PUBLISHED = [
  {
    from: "github.com/Martins3/Martins3.github.io docs/net/demo/ipvlan-demo.sh",
    env: { PHYSICAL_DEV: "eth0" },
    // Slaves reach each other, and not the host.
    expected: /FAIL[\s\S]*FAIL[\s\S]*OK[\s\S]*OK/,
  },
  {
    from: "github.com/adhak2014/Linux-Bridge-Network-Emulation 2NS-IPVLAN-Layer3.sh",
    expected: /( 0% packet loss[\s\S]*){6}/,
  },
  {
    from: "github.com/adhak2014/Linux-Bridge-Network-Emulation 2NS-IPVLAN-v2.sh",
    expected: /( 0% packet loss[\s\S]*){6}/,
  },
] as const;

await inSandbox(import.meta.url, {}, () => {
  let folder = "";
  before(async () => {
    await buildLab();
    // The master's name in those scripts.
    await shell("host", `${SYSTEM_IP} link property add dev eth0 altname enp0s3`);
    await shell("host", `${SYSTEM_IP} netns del ns0; ${SYSTEM_IP} netns del ns1`);
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ipvlan-scripts-"));
  });
  afterEach(async () => {
    rmSync(folder, { recursive: true });
    await shell("host", "ipvlan daemon stop --remove");
  });

  test("the HOWTO's example", () => {
    writeFileSync(join(folder, "howto.sh"), HOWTO);
    const { v4: router } = ADDRESS.lan;
    const env = {
      IPADDR0: `${ADDRESS.ns0.v4}/24`,
      IPADDR1: `${ADDRESS.ns1.v4}/24`,
      ROUTER: router,
    };
    assert.deepEqual(run("howto.sh", env), { status: 0, output: "" });
    for (const [from, to] of [
      ["ns0", ADDRESS.ns1.v4],
      ["ns1", ADDRESS.ns0.v4],
      ["ns0", router],
      ["ns1", router],
    ] as const) {
      writeFileSync(join(folder, "ping.sh"), `ip netns exec ${from} ping -c 1 -W 3 ${to}`);
      const { status, output } = run("ping.sh", {});
      assert.equal(status, 0, output);
    }
  });

  for (const { from, expected, ...rest } of PUBLISHED) {
    const file = from.split("/").at(-1)!.split(" ").at(-1)!;
    const source = join(process.env.IPVLAN_SCRIPTS ?? "", file);
    const skip =
      (process.env.IPVLAN_SCRIPTS === undefined || !existsSync(source)) &&
      `needs IPVLAN_SCRIPTS, a folder with ${file} of ${from}`;
    test(`${from}`, { skip }, () => {
      copyFileSync(source, join(folder, file));
      const { status, output } = run(file, "env" in rest ? rest.env : {});
      assert.equal(status, 0, output);
      assert.match(output, expected);
    });
  }

  function run(file: string, env: NodeJS.ProcessEnv): { status: number | null; output: string } {
    const PATH = `${BIN}:${process.env.PATH}`;
    const options = {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, ...env, PATH },
    } as const;
    const { status, stdout, stderr } = spawnSync("bash", [file], options);
    return { status, output: stdout + stderr };
  }
});
