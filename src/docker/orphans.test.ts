/** What is collected, when, and what is not: time and dockerd's list are given. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Fakes } from "../../test/docker/fakes.ts";
import type { Driver } from "./driver.ts";
import { GRACE_MS, Orphans, UNJOINED_MS } from "./orphans.ts";

const NetworkID = "d03176a15d8b27cb23a1ccf53e93c8b65583453494b030d193d9167f7437e525";
const EndpointID = "a160ac7946bcf536f30c8e05977a9f49ca7824a4d1bea8ec585998613e1755e4";
const LABEL = `docker/${EndpointID}`;

let fakes: Fakes;
let driver: Driver;
let orphans: Orphans;
/** What dockerd lists; undefined: it does not answer. */
let listed: ReadonlySet<string> | undefined;
beforeEach(async () => {
  fakes = new Fakes(["eth0"]);
  driver = fakes.driver();
  listed = undefined;
  orphans = new Orphans(driver, fakes.slaves, async () => listed);
  await driver.createNetwork({ NetworkID });
});
afterEach(() => fakes.remove());

const later = (ms: number): Promise<void> => orphans.collect(Date.now() + ms);
const endpoints = (): number => driver.state.endpoints.length;

async function addEndpoint(): Promise<void> {
  await driver.createEndpoint({ NetworkID, EndpointID });
}

async function addSlave(here: boolean): Promise<void> {
  await addEndpoint();
  await driver.join({ NetworkID, EndpointID });
  fakes.made.get(LABEL)!.here = here;
}

test("a slave that came back from its container is removed, but not while dockerd may be about to take it", async () => {
  await addSlave(true);
  await later(GRACE_MS / 2);
  assert.equal(fakes.made.size, 1);
  await later(GRACE_MS * 2);
  assert.deepEqual([fakes.made.size, endpoints()], [0, 0]);
});

test("a slave in its container stays, however old", async () => {
  await addSlave(false);
  await later(UNJOINED_MS * 2);
  assert.deepEqual([fakes.made.size, endpoints()], [1, 1]);
});

test("an endpoint whose slave ended with its container is forgotten", async () => {
  await addSlave(false);
  fakes.made.clear();
  await later(GRACE_MS / 2);
  assert.equal(endpoints(), 1);
  await later(GRACE_MS * 2);
  assert.equal(endpoints(), 0);
});

test("an endpoint that was never joined has more time", async () => {
  await addEndpoint();
  await later(GRACE_MS * 2);
  assert.equal(endpoints(), 1);
  await later(UNJOINED_MS * 2);
  assert.equal(endpoints(), 0);
});

test("a slave of an endpoint that nobody knows is removed when it has been with us for long", async () => {
  await addEndpoint(); // of another container: without any there is no daemon to be asked
  await driver.join({ NetworkID, EndpointID });
  fakes.made.get(LABEL)!.here = false;
  fakes.made.set("docker/0123456789ab", { master: "eth0", name: "x", here: true });
  fakes.made.set("cni/net/0123/eth0", { master: "eth0", name: "y", here: true });
  await later(0);
  await later(GRACE_MS / 2);
  assert.equal(fakes.made.size, 3);
  await later(GRACE_MS * 2);
  assert.deepEqual([...fakes.made.keys()], [LABEL, "cni/net/0123/eth0"]);
});

test("a network that dockerd had listed and lists no longer is dropped, with its master", async () => {
  await later(0);
  listed = new Set([NetworkID]);
  await later(0);
  listed = new Set();
  await later(0);
  assert.equal(driver.state.networks.length, 0);
  assert.deepEqual([...fakes.devices], ["eth0"]);
});

test("a network that dockerd has never listed may be another dockerd's", async () => {
  listed = new Set(["another"]);
  await later(UNJOINED_MS);
  assert.equal(driver.state.networks.length, 1);
});

test("a network with endpoints stays until they are gone", async () => {
  listed = new Set([NetworkID]);
  await later(0);
  await addSlave(false);
  listed = new Set();
  await later(0);
  assert.equal(driver.state.networks.length, 1);
  fakes.made.clear();
  await later(GRACE_MS * 2);
  assert.equal(driver.state.networks.length, 0);
});
