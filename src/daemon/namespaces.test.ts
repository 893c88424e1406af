import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inSandbox } from "../../test/in-sandbox.ts";
import { inScratchAsync, type Scratch } from "../../test/scratch-netns.ts";
import { assignNsid } from "../linux/netlink/nsid.ts";
import type { NetlinkSocket } from "../linux/netlink/socket.ts";
import { createNetns, pinNetns, withNetns } from "../linux/netns.ts";
import { close, unmount } from "../linux/sys.ts";
import { findNetnsPath } from "./namespaces.ts";

await inSandbox(import.meta.url, {}, () => {
  test(
    "a namespace with a name is found by it",
    inScratchAsync(async (scratch) => {
      for (const folder of ["/run/netns", "/run/docker/netns"]) {
        const { socket, nsid, pin } = stranger(scratch);
        pin(`${folder}/blue`);
        assert.equal(findNetnsPath(socket, nsid, undefined), `${folder}/blue`);
      }
    }),
  );

  test(
    "one without a name is found by a process in it, as long as that lives",
    inScratchAsync(async (scratch) => {
      const { socket, nsid, fd } = stranger(scratch);
      const child = withNetns(fd, () => spawn("sleep", ["60"]));
      scratch.later(() => child.kill("SIGKILL"));
      const path = `/proc/${child.pid}/ns/net`;
      assert.equal(findNetnsPath(socket, nsid, undefined), path);
      await end(child);
      assert.equal(findNetnsPath(socket, nsid, path), undefined);
    }),
  );

  test(
    "one that lives by a descriptor alone is not found, nor is one of others in its place",
    inScratchAsync(async (scratch) => {
      const { socket, nsid } = stranger(scratch);
      const other = stranger(scratch);
      other.pin("/run/netns/other");
      assert.notEqual(assignNsid(socket, other.fd), nsid);
      assert.equal(findNetnsPath(socket, nsid, "/run/netns/other"), undefined);
      assert.equal(findNetnsPath(socket, nsid, "/no/such/place"), undefined);
    }),
  );

  test(
    "where it was found last is looked at first",
    inScratchAsync(async (scratch) => {
      const { socket, nsid, pin } = stranger(scratch);
      pin("/run/netns/aaa");
      pin("/run/netns/bbb");
      assert.equal(findNetnsPath(socket, nsid, "/run/netns/bbb"), "/run/netns/bbb");
    }),
  );

  test(
    "a file without a namespace is passed over",
    inScratchAsync(async (scratch) => {
      const { socket, nsid, pin } = stranger(scratch);
      pin("/run/netns/blue");
      writeFileSync("/run/netns/abandoned", "");
      scratch.later(() => rmSync("/run/netns/abandoned"));
      assert.equal(findNetnsPath(socket, nsid, "/run/netns/abandoned"), "/run/netns/blue");
    }),
  );

  test(
    "looking for one keeps none open",
    inScratchAsync(async (scratch) => {
      const { socket, nsid, pin } = stranger(scratch);
      pin("/run/netns/blue");
      const before = readdirSync("/proc/self/fd").length;
      findNetnsPath(socket, nsid, "/proc/version");
      findNetnsPath(socket, nsid, undefined);
      assert.equal(readdirSync("/proc/self/fd").length, before);
    }),
  );
});

/** A new namespace that nobody shows, and a socket in another that has an id for it. */
function stranger(scratch: Scratch): {
  socket: NetlinkSocket;
  fd: number;
  nsid: number;
  pin: (path: string) => void;
} {
  const socket = scratch.socket(scratch.namespace());
  const fd = createNetns();
  scratch.later(() => close(fd));
  const pin = (path: string) => {
    mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    pinNetns(fd, path);
    scratch.later(() => {
      unmount(path);
      rmSync(path);
    });
  };
  return { socket, fd, nsid: assignNsid(socket, fd), pin };
}

async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await Promise.race([ended, sleep(1000)]);
}
