/** All cases of the recording, one after the other, on real devices. */
import { spawnSync } from "node:child_process";
import { before, test } from "node:test";
import { buildLan, shell } from "../../scripts/lab.ts";
import type { Compat } from "../../src/driver/settings.ts";
import type { EngineName } from "../../src/engine/engine.ts";
import { allAsked, inSandbox } from "../in-sandbox.ts";
import { SYSTEM_IP } from "../slaves.ts";
import { isOfCompat, whySkipped } from "./differences.ts";
import { buildGround, clearGround } from "./ground.ts";
import { readCases } from "./recording.ts";
import { replay } from "./replay.ts";

/** `file`: the test file's `import.meta.url`; there is one for each way, as each takes its time. */
export const replayAll = (file: string, compat: Compat, usually: EngineName): Promise<void> =>
  inSandbox(file, { needs: ["nft"], engines: "both", usually }, () => {
    before(async () => {
      await buildLan(); // for the names of our command
      await shell("host", `${SYSTEM_IP} link del eth0; ${SYSTEM_IP} netns del lan`);
    });

    for (const one of readCases()) {
      if (!allAsked && compat === "kernel" && !isOfCompat(one)) continue;
      const skip = whySkipped(one, kernelHas) ?? false;
      test(`compat ${compat}: ${one.id}: ${one.title}`, { skip }, async (t) => {
        await buildGround();
        try {
          await replay(one, compat, (text) => t.diagnostic(text));
        } finally {
          await clearGround();
        }
      });
    }
  });

function kernelHas(kind: string): boolean {
  const words = ["link", "add", "probe", "type", kind.replace("tap", "tun")];
  const { stderr } = spawnSync(SYSTEM_IP, words, { encoding: "utf8" });
  spawnSync(SYSTEM_IP, ["link", "del", "probe"]);
  return !stderr.includes("Unknown device type");
}
