import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { inSandbox } from "../../test/in-sandbox.ts";
import type { Peer } from "../linux/userns.ts";
import { mayAdminister, rightsOf } from "./rights.ts";

/** Made in one another: the host's, one that uid 1000 made, and one that root made in there. */
const HOST = { id: 1, ownerUid: 0 };
const OUTER = { id: 2, ownerUid: 1000 };
const INNER = { id: 3, ownerUid: 0 };
const ALL = -1n;
const NET_ADMIN = 1n << 12n;

const peer = (userNamespace: number, uid: number, capabilities: bigint): Peer => ({
  userNamespace,
  uid,
  capabilities,
});

test("the capability counts in the user namespace that owns, and in those around it", () => {
  assert.ok(mayAdminister(peer(2, 1000, NET_ADMIN), [OUTER, HOST]));
  assert.ok(mayAdminister(peer(1, 0, NET_ADMIN), [INNER, OUTER, HOST]));
  assert.ok(!mayAdminister(peer(1, 0, ALL ^ NET_ADMIN), [OUTER, HOST]));
});

test("capabilities of a user namespace inside or beside count for nothing", () => {
  assert.ok(!mayAdminister(peer(3, 0, ALL), [OUTER, HOST]));
  assert.ok(!mayAdminister(peer(4, 1000, ALL), [OUTER, HOST]));
  assert.ok(!mayAdminister(peer(1, 0, ALL), []));
});

test("who made the user namespace needs no capability, outside of it and with the same uid", () => {
  assert.ok(mayAdminister(peer(1, 1000, 0n), [INNER, OUTER, HOST]));
  assert.ok(!mayAdminister(peer(1, 1001, 0n), [OUTER, HOST]));
  assert.ok(!mayAdminister(peer(2, 1000, 0n), [OUTER, HOST]));
  assert.ok(!mayAdminister(peer(1, 0, 0n), [INNER, OUTER, HOST]), "two levels below");
});

test("who has no number in our user namespace has made none", () => {
  assert.ok(!mayAdminister(peer(1, 65534, 0n), [{ id: 2, ownerUid: 65534 }, HOST]));
});

const HERE = "/proc/self/ns/net";
const NO_CAPABILITY = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"];
const IN_NAMESPACES = ["unshare", "-Un", "--map-root-user"];

await inSandbox(import.meta.url, { needs: ["setpriv", "unshare"] }, () => {
  test("root may change this network namespace, root without capabilities may not", async (t) => {
    assert.ok((await asPeer(t, [])).may(HERE));
    assert.ok(!(await asPeer(t, NO_CAPABILITY)).may(HERE));
  });

  test("root of a user namespace may change its own network namespace only", async (t) => {
    const { may, netns } = await asPeer(t, IN_NAMESPACES);
    assert.ok(!may(HERE));
    assert.ok(may(netns));
    assert.ok((await asPeer(t, [])).may(netns), "root around it");
    assert.ok((await asPeer(t, NO_CAPABILITY)).may(netns), "who made it");
  });

  test("who has ended may do nothing", async (t) => {
    const { may, child } = await asPeer(t, []);
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.ok(!may(HERE));
  });
});

/** Opens a connection and holds it. */
const CLIENT = "require('net').connect(process.argv[1]); setTimeout(() => {}, 60_000)";

/** The rights of a process that is started by these words and connects. */
async function asPeer(t: TestContext, words: readonly string[]) {
  const path = `/run/rights-${process.hrtime.bigint()}`;
  const server = createServer().listen(path);
  await once(server, "listening");
  const [program, ...args] = [...words, process.execPath, "-e", CLIENT, path];
  const child = spawn(program!, args, { stdio: "inherit" });
  const [socket] = (await once(server, "connection")) as [Socket];
  socket.on("error", () => {}).unref();
  t.after(() => {
    child.kill("SIGKILL");
    server.close();
  });
  return { may: rightsOf(socket), child, netns: `/proc/${child.pid}/ns/net` };
}
