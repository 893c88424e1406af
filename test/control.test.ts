/**
 * What people type, replayed: the recording of Linux's ipvlan (`test/kernel/control.json`) against our command and
 * daemon on real devices. Exit statuses, error texts and devices must be the recorded ones.
 */
import { spawnSync } from "node:child_process";
import { before, describe, test } from "node:test";
import { buildLan, shell } from "../scripts/lab.ts";
import { whySkipped } from "./control/differences.ts";
import { buildGround, clearGround } from "./control/ground.ts";
import { readCases } from "./control/recording.ts";
import { replay } from "./control/replay.ts";
import { inSandbox } from "./in-sandbox.ts";
import { SYSTEM_IP } from "./slaves.ts";

await inSandbox(import.meta.url, { needs: ["nft"] }, () => {
  before(async () => {
    await buildLan(); // for the names of our command
    await shell("host", `${SYSTEM_IP} link del eth0; ${SYSTEM_IP} netns del lan`);
  });

  for (const compat of ["howto", "kernel"] as const)
    describe(`compat ${compat}`, () => {
      for (const one of readCases()) {
        const skip = whySkipped(one, kernelHas) ?? false;
        test(`${one.id}: ${one.title}`, { skip }, async (t) => {
          await buildGround();
          try {
            await replay(one, compat, (text) => t.diagnostic(text));
          } finally {
            await clearGround();
          }
        });
      }
    });
});

function kernelHas(kind: string): boolean {
  const words = ["link", "add", "probe", "type", kind.replace("tap", "tun")];
  const { stderr } = spawnSync(SYSTEM_IP, words, { encoding: "utf8" });
  spawnSync(SYSTEM_IP, ["link", "del", "probe"]);
  return !stderr.includes("Unknown device type");
}
