import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inSandbox } from "../../test/in-sandbox.ts";
import { createNetns, currentNetns, netnsInode, netnsPath, pinNetns, withNetns } from "./netns.ts";
import { close, SysError, unmount } from "./sys.ts";

await inSandbox(import.meta.url, {}, () => {
  describe("a section in a namespace", () => {
    test("runs there, and afterwards the thread is where it was", () => {
      withNew((fd) => {
        const before = here();
        assert.equal(withNetns(fd, here), netnsInode(fd));
        assert.equal(here(), before);
      });
    });

    test("may hold another, and comes back to the first", () => {
      withNew((outer) =>
        withNew((inner) => {
          const before = here();
          const seen = withNetns(outer, () => [here(), withNetns(inner, here), here()]);
          assert.deepEqual(seen, [netnsInode(outer), netnsInode(inner), netnsInode(outer)]);
          assert.equal(here(), before);
        }),
      );
    });

    test("comes back also from a throw, which it hands on", () => {
      withNew((fd) => {
        const before = here();
        const trouble = new Error("trouble");
        const fail = () =>
          withNetns(fd, () => {
            throw trouble;
          });
        assert.throws(fail, trouble);
        assert.equal(here(), before);
      });
    });

    test("is not run where there is no such namespace, and the thread stays", () => {
      const before = here();
      const never = () => assert.fail("it ran");
      assert.throws(() => withNetns("no-such-name", never), { code: "ENOENT" });
      assert.throws(() => withNetns("/proc/version", never), { code: "EINVAL" });
      assert.equal(here(), before);
    });

    test("leaves no descriptor open", () => {
      withNew((fd) => {
        const next = nextDescriptor();
        withNetns(fd, () => {});
        withNetns("/proc/self/ns/net", () => {});
        assert.throws(() => withNetns("/proc/version", () => {}), SysError);
        assert.equal(nextDescriptor(), next);
      });
    });
  });

  test("a namespace goes by name, process or path", () => {
    assert.equal(netnsPath("blue"), "/run/netns/blue");
    assert.equal(netnsPath(12), "/proc/12/ns/net");
    assert.equal(netnsPath("/tmp/pinned"), "/tmp/pinned");
    assert.equal(withNetns(netnsPath(process.pid), here), here());
  });

  test("a new namespace is none that lived before, and the thread that made it stays outside", () => {
    const before = here();
    withNew((one) =>
      withNew((other) => {
        assert.equal(here(), before);
        assert.equal(new Set([before, netnsInode(one), netnsInode(other)]).size, 3);
      }),
    );
  });

  test("a pinned namespace outlives its descriptor, until it is unmounted", () => {
    const folder = mkdtempSync("/run/pinned-");
    const path = join(folder, "netns");
    const inode = withNew((fd) => {
      pinNetns(fd, path);
      return netnsInode(fd);
    });
    assert.equal(withNetns(path, here), inode);
    unmount(path);
    assert.throws(() => withNetns(path, here), { code: "EINVAL" });
    rmSync(folder, { recursive: true });
  });
});

function here(): number {
  const fd = currentNetns();
  try {
    return netnsInode(fd);
  } finally {
    close(fd);
  }
}

function withNew<T>(section: (fd: number) => T): T {
  const fd = createNetns();
  try {
    return section(fd);
  } finally {
    close(fd);
  }
}

function nextDescriptor(): number {
  const fd = currentNetns();
  close(fd);
  return fd;
}
