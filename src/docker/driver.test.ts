/** The driver on its own: requests that come twice, that come too late, and what a failure leaves behind. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { Fakes, failure } from "../../test/docker/fakes.ts";
import type { Driver } from "./driver.ts";

const NetworkID = "d03176a15d8b27cb23a1ccf53e93c8b65583453494b030d193d9167f7437e525";
const EndpointID = "a160ac7946bcf536f30c8e05977a9f49ca7824a4d1bea8ec585998613e1755e4";
const OF_ENDPOINT = { NetworkID, EndpointID };
const LABEL = `docker/${EndpointID}`;
const OWN = "di-d03176a15d8b";

let fakes: Fakes;
let driver: Driver;
beforeEach(() => {
  fakes = new Fakes(["lo", "eth0"]);
  driver = fakes.driver();
});
afterEach(() => fakes.remove());

const network = (options: object = { parent: "eth0" }, id = NetworkID) => ({
  NetworkID: id,
  Options: { "com.docker.network.generic": { ...options } },
  IPv4Data: [{ Pool: "10.0.0.0/24", Gateway: "10.0.0.1/24" }],
  IPv6Data: [{ Pool: "fd00::/64", Gateway: "fd00::1/64" }],
});
const endpoint = {
  ...OF_ENDPOINT,
  Interface: { Address: "10.0.0.2/24", AddressIPv6: "fd00::2/64", MacAddress: "" },
};

test("l2: the gateways of the address's subnets", async () => {
  await driver.createNetwork(network());
  await driver.createEndpoint(endpoint);
  assert.deepEqual(await driver.join(OF_ENDPOINT), {
    InterfaceName: { SrcName: "dk-a160ac7946bc", DstPrefix: "eth" },
    Gateway: "10.0.0.1",
    GatewayIPv6: "fd00::1",
  });
  const { name, ...made } = fakes.made.get(LABEL)!;
  assert.equal(name, "dk-a160ac7946bc");
  assert.deepEqual(made, {
    master: "eth0",
    mode: "l2",
    flag: "bridge",
    label: LABEL,
    keep: true,
    here: true,
  });
});

test("l3: the device is the way out, for every family that the endpoint has", async () => {
  await driver.createNetwork(network({ parent: "eth0", ipvlan_mode: "l3", ipvlan_flag: "vepa" }));
  await driver.createEndpoint(endpoint);
  const { StaticRoutes, DisableGatewayService, Gateway } = await driver.join(OF_ENDPOINT);
  assert.deepEqual(StaticRoutes, [
    { Destination: "0.0.0.0/0", RouteType: 1, NextHop: "" },
    { Destination: "::/0", RouteType: 1, NextHop: "" },
  ]);
  assert.deepEqual([DisableGatewayService, Gateway], [true, undefined]);
});

test("the slave has the network's mode, flag and MTU, by libnetwork's long names, too", async () => {
  const said = { parent: "eth0", ipvlan_mode: "l3s", ipvlan_flag: "private", mtu: "1400" };
  const long = Object.entries(said).map(([name, value]) => [
    `com.docker.network.driver.${name}`,
    value,
  ]);
  for (const options of [said, Object.fromEntries(long)]) {
    await driver.createNetwork(network(options));
    await driver.createEndpoint(endpoint);
    await driver.join(OF_ENDPOINT);
    const { master, mode, flag, mtu } = fakes.made.get(LABEL)!;
    assert.deepEqual([master, mode, flag, mtu], ["eth0", "l3s", "private", 1400]);
    await driver.deleteEndpoint(OF_ENDPOINT);
    await driver.deleteNetwork({ NetworkID });
  }
});

test("an internal network has no way out", async () => {
  const { Options, ...rest } = network();
  const internal = { ...Options, "com.docker.network.internal": true };
  await driver.createNetwork({ ...rest, Options: internal });
  await driver.createEndpoint(endpoint);
  const { Gateway, GatewayIPv6, DisableGatewayService } = await driver.join(OF_ENDPOINT);
  assert.deepEqual([Gateway, GatewayIPv6, DisableGatewayService], [undefined, undefined, true]);
});

test("an address of no subnet, or none at all, has no gateway", async () => {
  await driver.createNetwork(network());
  for (const Address of ["10.9.0.2/24", "", "nonsense"]) {
    await driver.createEndpoint({ ...OF_ENDPOINT, Interface: { Address } });
    assert.equal((await driver.join(OF_ENDPOINT)).DisableGatewayService, true);
    await driver.deleteEndpoint(OF_ENDPOINT);
  }
});

test("the next driver knows what was answered", async () => {
  await driver.createNetwork(network());
  await driver.createEndpoint(endpoint);
  await fakes.driver().join(OF_ENDPOINT);
  await fakes.driver().deleteEndpoint(OF_ENDPOINT);
  await fakes.driver().deleteNetwork({ NetworkID });
  assert.equal(fakes.made.size, 0);
  assert.ok(!existsSync(dirname(dirname(fakes.file))));
});

test("whatever comes twice is answered twice the same", async () => {
  for (const [act, ...requests] of [
    ["createNetwork", network({})],
    ["createEndpoint", endpoint],
    ["join", OF_ENDPOINT],
    ["deleteEndpoint", OF_ENDPOINT],
    ["deleteNetwork", { NetworkID }],
  ] as const) {
    const ask = () => (driver[act] as (request: object) => Promise<object>)(requests[0]);
    assert.deepEqual(await ask(), await ask(), act);
    driver = fakes.driver();
  }
  assert.deepEqual([...fakes.devices], ["lo", "eth0"]);
});

test("a container that has its interface keeps it: a second Join is refused", async () => {
  await driver.createNetwork(network());
  await driver.createEndpoint(endpoint);
  await driver.join(OF_ENDPOINT);
  fakes.made.get(LABEL)!.here = false;
  await assert.rejects(driver.join(OF_ENDPOINT), {
    message: `no interface on eth0: there is a slave for ${LABEL}`,
  });
  assert.equal(fakes.made.size, 1);
});

test("a slave of an endpoint that is not known any more goes with the endpoint", async () => {
  fakes.made.set(LABEL, { master: "eth0", name: "x", here: true });
  await driver.deleteEndpoint(OF_ENDPOINT);
  assert.equal(fakes.made.size, 0);
});

test("what the daemon refuses is told, and may be asked again", async () => {
  await driver.createNetwork(network());
  await driver.createEndpoint(endpoint);
  fakes.refusal = failure("EBUSY", "eth0 is in mode l3 bridge for 1 slave");
  await assert.rejects(driver.join(OF_ENDPOINT), {
    message: "no interface on eth0: eth0 is in mode l3 bridge for 1 slave",
  });
  fakes.refusal = undefined;
  await driver.join(OF_ENDPOINT);
});

test("a network's own master goes with it; one that two networks have with the last", async () => {
  await driver.createNetwork(network({}));
  assert.ok(fakes.devices.has(OWN));
  const other = NetworkID.replace("d", "e");
  await driver.createNetwork(network({ parent: "eth0.10" }, other));
  const third = NetworkID.replace("d", "f");
  await driver.createNetwork(network({ parent: "eth0.10" }, third));
  for (const id of [NetworkID, other]) await driver.deleteNetwork({ NetworkID: id });
  assert.deepEqual([...fakes.devices], ["lo", "eth0", "eth0.10"]);
  await driver.deleteNetwork({ NetworkID: third });
  assert.deepEqual([...fakes.devices], ["lo", "eth0"]);
});

test("a VLAN that was there is nobody's to remove", async () => {
  fakes.devices.add("eth0.10");
  await driver.createNetwork(network({ parent: "eth0.10" }));
  await driver.deleteNetwork({ NetworkID });
  assert.ok(fakes.devices.has("eth0.10"));
});

test("masters that we made are made again when they are gone, at the start or for a container", async () => {
  await driver.createNetwork(network({}));
  fakes.devices.delete(OWN);
  await fakes.driver().restoreParents();
  assert.ok(fakes.devices.delete(OWN));
  await driver.createEndpoint(endpoint);
  await driver.join(OF_ENDPOINT);
  assert.ok(fakes.devices.has(OWN));
});

test("a network that cannot be written down leaves nothing", async () => {
  fakes.breakState();
  await assert.rejects(driver.createNetwork(network({})));
  assert.deepEqual([...fakes.devices], ["lo", "eth0"]);
  assert.deepEqual(driver.state.networks, []);
});

test("a network whose end cannot be written down stays, with its master", async () => {
  await driver.createNetwork(network({}));
  await driver.createNetwork(network({}, NetworkID.replace("d", "e")));
  const mend = fakes.breakState();
  await assert.rejects(driver.deleteNetwork({ NetworkID }));
  assert.ok(fakes.devices.has(OWN));
  assert.equal(driver.state.networks.length, 2);
  mend();
  await driver.deleteNetwork({ NetworkID });
  assert.ok(!fakes.devices.has(OWN));
});

test("what cannot be undone after a failure is told with the failure", async () => {
  await driver.createNetwork(network({}));
  const refuse = () => {
    throw new Error("no devices today");
  };
  fakes.parents.make = refuse;
  fakes.breakState();
  await assert.rejects(driver.deleteNetwork({ NetworkID }), {
    message: /state\.json cannot be written: .*; and what was done before stays: no devices today$/,
  });
  assert.equal(driver.state.networks.length, 1);
});

test("an option that is no string is refused: it would be passed over for a master of its own", async () => {
  await assert.rejects(driver.createNetwork(network({ parent: 5 })), {
    message: "option parent is 5, it is a string where it is said",
  });
  assert.deepEqual(driver.state.networks, []);
});

test("a draft of the state that cannot take its place is removed", async () => {
  await driver.createNetwork(network());
  rmSync(fakes.file);
  mkdirSync(`${fakes.file}/in-the-way`, { recursive: true });
  await assert.rejects(driver.createEndpoint(endpoint));
  assert.ok(!existsSync(`${fakes.file}.new`));
});

test("the state is nobody else's to read, and one that is broken is not taken for none", async () => {
  await driver.createNetwork(network());
  assert.equal(statSync(fakes.file).mode & 0o777, 0o600);
  const text = readFileSync(fakes.file, "utf8");
  const ofLists = [
    ...["null", '{"id":"x"}', '{"id":"x","parent":5,"mode":"l2","flag":"bridge","subnets":[]}'].map(
      (one) => [one, ""],
    ),
    ["", '{"id":"x","addresses":[],"askedMs":0}'],
  ].map(([networks, endpoints]) => `{"networks":[${networks}],"endpoints":[${endpoints}]}`);
  const ofMode = text.replace('"l2"', '"l9"');
  for (const broken of ["", "{", "{}", "null", text.slice(0, -2), ofMode, ...ofLists]) {
    writeFileSync(fakes.file, broken);
    assert.throws(() => fakes.driver(), /state\.json is not as it was written/);
  }
  writeFileSync(fakes.file, text);
  assert.equal(fakes.driver().state.networks.length, 1);
});
