/** podman's containers on networks of ours, written as a file where podman looks for them. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { addLanRoutes, deleteLanRoutes, shell } from "../../scripts/lab.ts";
import { allAsked } from "../in-sandbox.ts";
import { onPodman, reaches, removeAll, runAt, writeNetwork } from "./ground.ts";

/** Of `a` and `b`; as the lab has routes to them in L3. */
const A = ["10.0.0.10", "fd00::10"] as const;
const B = ["10.0.0.11", "fd00::11"] as const;
const LAN = ["10.0.0.1", "fd00::1"] as const;

type Mode = "l2" | "l3" | "l3s";

const reachesAll = async (from: string, to: readonly string[]): Promise<boolean[]> =>
  Promise.all(to.map((address) => reaches(from, address)));

const runBoth = async (): Promise<void> => {
  await runAt("a", "--network ipvl");
  await runAt("b", "--network ipvl");
};

await onPodman(import.meta.url, { engines: "both", usually: "ebpf" }, () => {
  afterEach(removeAll);

  for (const mode of ["l2", "l3", "l3s"] as const satisfies readonly Mode[])
    for (const flag of ["bridge", "private", "vepa"] as const)
      if (allAsked || mode === "l2" || flag === "bridge")
        test(`${mode} ${flag}: who reaches whom`, async (t) => {
          if (mode !== "l2") {
            await addLanRoutes();
            t.after(deleteLanRoutes);
          }
          writeNetwork({ mode, flag });
          await runBoth();
          assert.match(await shell("host", "ipvlan port show"), new RegExp(`mode ${mode} ${flag}`));
          assert.deepEqual(await reachesAll("a", LAN), [true, true], "LAN");
          const isTogether = flag === "bridge";
          assert.deepEqual(await reachesAll("a", B), [isTogether, isTogether], "a to b");
          assert.deepEqual(await reachesAll("b", A), [isTogether, isTogether], "b to a");
          await shell("lan", `ping -c 1 -W 2 ${A[0]} && ping -c 1 -W 2 ${B[1]}`);
        });
});
