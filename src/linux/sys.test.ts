import assert from "node:assert/strict";
import { fstatSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import * as sys from "./sys.ts";

const ENOENT = 2;
const SO_RCVBUF = 8;

describe("an error of the kernel", () => {
  test("says what was wanted, then why, and has its code", () => {
    assert.throws(() => sys.openFile("/no/such/file", "open the box"), {
      name: "SysError",
      message: "open the box: No such file or directory",
      code: "ENOENT",
      errno: ENOENT,
    });
  });

  test("that has no name here goes by its number", () => {
    assert.equal(new sys.SysError("try", 71).code, "errno 71");
  });
});

describe("calls on other threads", () => {
  test("all finish, however many are made at once", async () => {
    const fds = Array.from({ length: 400 }, () => new sys.EventFd().fd);
    await Promise.all(fds.map(sys.closeLater));
    for (const fd of fds) assert.throws(() => fstatSync(fd), { code: "EBADF" });
  });

  test("that fail say why, and do not keep others waiting", async () => {
    const value = Buffer.from([0, 0, 1, 0]);
    const set = (fd: number) =>
      sys.setsockoptLater(fd, sys.SOL_SOCKET, SO_RCVBUF, value, "enlarge");
    const fd = sys.socket(sys.AF_INET, sys.SOCK_DGRAM, 0);
    const calls = Array.from({ length: 400 }, (_, i) => set(i % 2 === 0 ? -1 : fd));
    const results = await Promise.allSettled(calls);
    assert.deepEqual(sys.getsockopt(fd, sys.SOL_SOCKET, SO_RCVBUF, 4).readInt32LE(), 2 << 16);
    sys.close(fd);
    for (const [i, result] of results.entries())
      if (i % 2 === 0) assert.equal((result as PromiseRejectedResult).reason.code, "EBADF");
      else assert.equal(result.status, "fulfilled");
  });
});

describe("epoll", () => {
  test("tells the key of who can be read, and nothing of others", () => {
    withEpoll((epoll, [one, two]) => {
      epoll.add(one.fd, 1);
      epoll.add(two.fd, 0x10001);
      assert.equal(epoll.wait(0), 0);
      two.signal();
      assert.equal(epoll.wait(1000), 1);
      assert.equal(epoll.ready(0), 0x10001);
      two.clear();
      assert.equal(epoll.wait(0), 0);
    });
  });

  test("asks nobody any more who was removed", () => {
    withEpoll((epoll, [one, two]) => {
      epoll.add(one.fd, 1);
      epoll.add(two.fd, 2);
      epoll.remove(one.fd);
      one.signal();
      two.signal();
      assert.equal(epoll.wait(1000), 1);
      assert.equal(epoll.ready(0), 2);
    });
  });

  test("asleep in one thread is woken by an eventfd that another signals", async () => {
    const wake = new sys.EventFd();
    const thread = new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
       import(workerData.sys).then(({ Epoll }) => {
         const epoll = new Epoll();
         epoll.add(workerData.wake, 7);
         parentPort.postMessage("asleep");
         parentPort.postMessage(epoll.wait(5000) === 1 && epoll.ready(0));
       });`,
      {
        eval: true,
        workerData: { sys: new URL("./sys.js", import.meta.url).href, wake: wake.fd },
      },
    );
    const said: unknown[] = [];
    await new Promise<void>((ended) => {
      thread.on("exit", () => ended()).on("message", (message) => said.push(message));
      thread.once("message", () => wake.signal());
    });
    wake.close();
    assert.deepEqual(said, ["asleep", 7]);
  });
});

test("the event loop calls back whenever a watched descriptor can be read, until that is closed", async () => {
  const events = new sys.EventFd();
  let calls = 0;
  const watch = sys.watch(events.fd, () => {
    calls++;
    events.clear();
  });
  for (const expected of [1, 2]) {
    events.signal();
    while (calls < expected) await sleep(1);
  }
  watch.close();
  events.signal();
  await sleep(20);
  assert.equal(calls, 2);
  events.close();
});

test("a lock is one open file's at a time, and free when that is closed", () => {
  const folder = mkdtempSync(join(tmpdir(), "lock-"));
  const open = () => openSync(join(folder, "lock"), "a");
  const [first, second] = [open(), open()];
  assert.equal(sys.tryLock(first), true);
  assert.equal(sys.tryLock(second), false);
  sys.close(first);
  assert.equal(sys.tryLock(second), true);
  sys.close(second);
  rmSync(folder, { recursive: true });
});

test("memory at an address is the very bytes", () => {
  const bytes = Buffer.from(new ArrayBuffer(64));
  const seen = new Uint8Array(sys.memory(sys.addressOf(bytes), 64));
  bytes[63] = 9;
  assert.equal(seen[63], 9);
  seen[0] = 8;
  assert.equal(bytes[0], 8);
});

function withEpoll(body: (epoll: sys.Epoll, events: [sys.EventFd, sys.EventFd]) => void): void {
  const epoll = new sys.Epoll();
  const events: [sys.EventFd, sys.EventFd] = [new sys.EventFd(), new sys.EventFd()];
  try {
    body(epoll, events);
  } finally {
    for (const one of [epoll, ...events]) one.close();
  }
}
