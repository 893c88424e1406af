import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { test } from "node:test";
import { inSandbox } from "../../test/in-sandbox.ts";
import { inScratchAsync, type Scratch } from "../../test/scratch-netns.ts";
import { fdPath, pinNetns, withNetns } from "../linux/netns.ts";
import { unmount } from "../linux/sys.ts";
import { Witness } from "./witness.ts";

const NAME = "/run/netns/held";

await inSandbox(import.meta.url, {}, () => {
  test(
    "a namespace is held by its name, and by nobody when that has gone",
    inScratchAsync(async (scratch) => {
      const { witness, unname } = named(scratch);
      assert.ok(witness.isHeld());
      unname();
      assert.ok(!witness.isHeld(), "though we have a descriptor of it");
    }),
  );

  for (const [who, start] of [
    ["a process in it", (fd: number) => withNetns(fd, () => holder())],
    ["a descriptor of somebody's", (fd: number) => holder(fd)],
    ["a mount of somebody's", () => holder("ignore", IN_OWN_MOUNTS)],
  ] as const)
    test(
      `one without a name is held by ${who}, as long as that is there`,
      inScratchAsync(async (scratch) => {
        const { witness, fd, unname } = named(scratch);
        const child = start(fd);
        scratch.later(() => child.kill("SIGKILL"));
        await once(child.stdout!, "data");
        unname();
        assert.ok(witness.isHeld());
        child.kill("SIGKILL");
        await once(child, "exit");
        assert.ok(!witness.isHeld());
      }),
    );

  test(
    "of one that never had a name it is not said that nobody has it: not all processes are seen here",
    inScratchAsync(async (scratch) => {
      assert.ok(new Witness(fdPath(scratch.namespace())).isHeld());
    }),
  );
});

const READY = ["sh", "-c", "echo ready; exec sleep 60"];
/** In a mount namespace of its own, where the network namespace is mounted a second time. */
const MOUNT = `touch ${NAME}.2 && mount --bind ${NAME} ${NAME}.2 && exec "$@"`;
const IN_OWN_MOUNTS = ["unshare", "--mount", "sh", "-c", MOUNT, "sh"];

/** A process that says when it is there; perhaps with a descriptor of ours. */
function holder(fd: number | "ignore" = "ignore", within: readonly string[] = []): ChildProcess {
  const [program = "", ...words] = [...within, ...READY];
  return spawn(program, words, { stdio: ["ignore", "pipe", "inherit", fd] });
}

function named(scratch: Scratch): { witness: Witness; fd: number; unname: () => void } {
  const fd = scratch.namespace();
  mkdirSync("/run/netns", { recursive: true });
  pinNetns(fd, NAME);
  const unname = () => {
    unmount(NAME);
    rmSync(NAME);
  };
  return { witness: new Witness(fdPath(fd)), fd, unname };
}
