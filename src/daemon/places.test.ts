import assert from "node:assert/strict";
import { existsSync, openSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { inSandbox } from "../../test/in-sandbox.ts";
import { currentNetns, netnsInode, withNetns } from "../linux/netns.ts";
import { close, tryLock } from "../linux/sys.ts";
import { findSysctl } from "../linux/sysctl.ts";
import { openLog } from "./log.ts";
import { becomeTheDaemon, findPlaces, openPrivateNetns, removePlaces } from "./places.ts";

await inSandbox(import.meta.url, {}, () => {
  test("each namespace has a folder of its own, which only its owner may enter", () => {
    const { dir } = findPlaces();
    assert.match(dir, new RegExp(`^/run/ipvlan/${inodeOf(currentNetns())}$`));
    assert.equal(statSync(dir).mode & 0o777, 0o700);
    assert.deepEqual(findPlaces().dir, dir, "found again");
  });

  test("a daemon waits for one that is ending, and is refused by one that answers", async (t) => {
    const places = findPlaces();
    const lock = openSync(`${places.dir}/lock`, "a");
    assert.ok(tryLock(lock));
    setTimeout(() => close(lock), 30);
    assert.equal(await becomeTheDaemon(places), true);
    const server = createServer().listen(places.socket);
    t.after(() => server.close());
    assert.equal(await becomeTheDaemon(places), false);
  });

  test("the private namespace has no IPv6, is none of ours and is found again", () => {
    const places = findPlaces();
    const first = openPrivateNetns(places, openLog());
    for (const scope of ["default", "all"])
      assert.equal(
        withNetns(first, () => findSysctl(`ipv6/conf/${scope}/disable_ipv6`)),
        "1",
      );
    assert.notEqual(netnsInode(first), inodeOf(currentNetns()));
    const inode = inodeOf(first);
    const second = openPrivateNetns(places, openLog());
    assert.equal(inodeOf(second), inode, "though nobody held it open");
  });

  test("a file that is left of a namespace that is gone is no hindrance", () => {
    const places = findPlaces();
    removePlaces(places);
    findPlaces();
    writeFileSync(`${places.dir}/netns`, "");
    const fd = openPrivateNetns(places, openLog());
    assert.notEqual(inodeOf(fd), inodeOf(currentNetns()));
  });

  test("what is removed leaves nothing, also if the private namespace was never made", () => {
    const places = findPlaces();
    removePlaces(places);
    assert.ok(!existsSync(places.dir));
    findPlaces();
    removePlaces(places);
    assert.deepEqual(readdirSync("/run/ipvlan"), []);
  });
});

function inodeOf(fd: number): number {
  try {
    return netnsInode(fd);
  } finally {
    close(fd);
  }
}
