/** Whole lines: ours or the system's, and our refusals, against what Linux with iproute2 was recorded to do. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import fc from "fast-check";
import { parsePrefix } from "../wire/address.ts";
import { UsageError } from "../words/errors.ts";
import { findOptions } from "../words/options.ts";
import { parseCommand, parseObject } from "./command.ts";

const parse = (line: string, calledAs = "ipvlan") => parseCommand(line.split(" "), calledAs);

function requestOf(line: string): object {
  const command = parse(line);
  assert.equal(command.to, "daemon", line);
  return command.to === "daemon" ? command.request : {};
}

function refusalOf(line: string): { message: string; status: number } {
  try {
    parse(line);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return { message: `${error.message}\n`, status: error.status };
  }
  return assert.fail(`${line}: not refused`);
}

interface Step {
  readonly cmd?: string;
  readonly rc: number;
  readonly err?: string;
}

const recording = new URL("../../../test/kernel/control.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(recording, "utf8")) as { cases: { steps: Step[] }[] };
const recorded = cases
  .flatMap((one) => one.steps)
  .flatMap(({ cmd, rc, err }) =>
    cmd?.startsWith("ip ") ? [{ line: cmd.slice("ip ".length), rc, err: err ?? "" }] : [],
  );

const isOnIpvlan = (line: string): boolean => /^link (add|set) .*type ipvlan\b/.test(line);

test("recorded: every refusal of iproute2 itself has the same text and status here", () => {
  const refused = recorded.filter(
    ({ line, rc, err }) => isOnIpvlan(line) && rc !== 0 && rc !== 2 && !err.includes("Cannot find"),
  );
  assert.ok(refused.length >= 10);
  for (const { line, rc, err } of refused) {
    assert.deepEqual(refusalOf(line), { message: err, status: rc }, line);
  }
});

test("recorded: every line about ipvlan that reached the kernel becomes a request", () => {
  const sent = recorded.filter(({ line, rc }) => isOnIpvlan(line) && (rc === 0 || rc === 2));
  assert.ok(sent.length >= 100);
  for (const { line, err, rc } of sent) {
    if (!/ link \S+ /.test(line) && line.startsWith("link add")) {
      assert.deepEqual(refusalOf(line), { message: err, status: rc }, line);
    } else {
      assert.equal((requestOf(line) as { verb: string }).verb, line.split(" ")[1], line);
    }
  }
});

test("recorded: all other lines are the system's, but for deleting, showing, stacking and addresses", () => {
  const others = recorded.filter(({ line }) => !isOnIpvlan(line));
  assert.ok(others.length >= 100);
  for (const { line } of others) {
    const isLooked =
      /^(-\S+ )*link( show.*| del .*| set \S+ (address|master) .*)?$|^addr (add|show) /.test(
        line,
      ) || /^link add link .* type (vlan|macvlan)/.test(line);
    assert.equal(parse(line).to, isLooked ? "daemon" : "system", line);
  }
});

test("the HOWTO's four lines", () => {
  const add = (settings: object) => ({
    verb: "add",
    master: "eth0",
    up: false,
    others: [],
    ...settings,
  });
  assert.deepEqual(
    requestOf("link add link eth0 name ipvl0 type ipvlan"),
    add({ name: "ipvl0" }), // what is not said is the daemon's to decide
  );
  assert.deepEqual(
    requestOf("link add link eth0 name ipvl0 type ipvlan mode l2 bridge"),
    add({ name: "ipvl0", mode: "l2", flag: "bridge" }),
  );
  assert.deepEqual(
    requestOf("link add link eth0 name ipvlan type ipvlan mode l2 private"),
    add({ name: "ipvlan", mode: "l2", flag: "private" }),
  );
  assert.deepEqual(
    requestOf("link add link eth0 name ipvlan type ipvlan mode l2 vepa"),
    add({ name: "ipvlan", mode: "l2", flag: "vepa" }),
  );
});

test("words stand in any order and may be shortened where iproute2 shortens them", () => {
  const whole = requestOf(
    "link add link eth0 name ipvl0 up mtu 1400 netns ns0 type ipvlan mode l3s",
  );
  for (const line of [
    "link add ipvl0 link eth0 netns ns0 mtu 1400 up type ipvlan mode l3s",
    "l a l eth0 dev ipvl0 mtu 1400 netns ns0 up ty ipvlan m l3s",
    "-n ns1 li ad mtu 1400 up name ipvl0 netns ns0 lin eth0 type ipvlan mode l2 mod l3s",
    "link add link lo link eth0 address 02:00:00:00:00:67 brd ff:ff:ff:ff:ff:ff numtxqueues 4 " +
      "name ipvl0 down up mtu 0x578 netns ns0 type ipvlan mode l3s",
  ]) {
    assert.deepEqual(requestOf(line), whole, line);
  }
  assert.deepEqual(
    requestOf("link set ipvl0 type ipvlan pri"),
    requestOf("l s dev ipvl0 type ipvlan private"),
  );
});

test("a mode cannot be shortened or written otherwise", () => {
  for (const mode of ["l", "L3", "l3S", ""]) {
    assert.match(refusalOf(`link add link eth0 i0 type ipvlan mode ${mode}`).message, /must be/);
  }
});

test("what else iproute2 can set is set by it, after the mode", () => {
  assert.deepEqual(requestOf("link set dev i0 up mtu 1400 type ipvlan mode l3"), {
    verb: "set",
    name: "i0",
    mode: "l3",
    others: ["dev", "i0", "up", "mtu", "1400"],
  });
});

test("a name longer than 15 bytes is refused as iproute2 and the kernel refuse it", () => {
  assert.deepEqual(refusalOf("link add link eth0 name abcdefghijklmnop type ipvlan"), {
    message: 'Error: argument "abcdefghijklmnop" is wrong: "name" not a valid ifname\n',
    status: 255,
  });
  assert.deepEqual(refusalOf("link add link eth0 abcdefghijklmnop type ipvlan"), {
    message: "Error: Attribute failed policy validation.\n",
    status: 2,
  });
  assert.equal(refusalOf("link add link eth0 name ipvlän-ipvlän-0 type ipvlan").status, 255);
});

test("what can be set afterwards is set afterwards, and the slave comes up last", () => {
  const line = "link add link eth0 i0 up alias a_b qlen 5 promisc on nomaster mtu 1400 type ipvlan";
  assert.deepEqual(requestOf(line), {
    verb: "add",
    master: "eth0",
    name: "i0",
    up: false,
    mtu: 1400,
    others: ["alias", "a_b", "txqueuelen", "5", "promisc", "on", "nomaster", "up"],
  });
});

test("a word that would be lost is refused", () => {
  assert.match(refusalOf("link add link eth0 i0 index 7 type ipvlan").message, /"index"/);
  assert.match(refusalOf("link add link eth0 i0 link-netnsid 1 type ipvlan").message, /"link-/);
});

test("lines that name no slave for certain are the system's", () => {
  for (const line of [
    "link set i0 netns ns0",
    "link set dev i0 up",
    "link set",
    "link set dev",
    "link del",
    "link del a b",
    "link del group 4",
    "link del v0 type veth",
    "link add link eth0 name m0 type macsec",
    "link add link eth0 name i0 type",
    "link add help",
    "link help",
    "link xstats type bridge",
    "addr add 10.0.0.1/24",
    "addr add 10.0.0.1 10.0.0.2 dev i0",
    "addr add 10.0.0.300/24 dev i0",
    "-6 addr add 10.0.0.1/24 dev i0",
    "addr add dev i0 help",
    "addr add 10.0.0.1/24 peer fd00::1 dev i0",
    "addr del 10.0.0.1/24 dev i0",
    "addr d 10.0.0.1/24 dev i0",
    "addr flush dev i0",
    "addr help",
    "m",
    "maddr",
    "-j monitor",
    "netns add ns0",
    "route",
    "-V",
  ]) {
    assert.equal(parse(line).to, "system", line);
  }
});

test("an address is read as iproute2 reads it, whatever stands around it", () => {
  const add = (text: string, name = "i0") => {
    const address = parsePrefix(text);
    return { verb: "add address", name, address };
  };
  for (const [line, expected] of [
    ["addr add 10.0.0.1/24 dev i0", add("10.0.0.1/24")],
    ["a a dev i0 local 10.0.0.1/24 brd + scope link", add("10.0.0.1/24")],
    ["address change 10.0.0.1 dev i0 label i0:1 metric 5", add("10.0.0.1/32")],
    ["ad chg 10.0.0.1 peer 10.0.0.2/30 dev i0 noprefixroute", add("10.0.0.1/30")],
    ["-4 addr r 10.0.0.1/8 br 10.255.255.255 dev i0", add("10.0.0.1/8")],
    ["-n ns0 addr replace fd00::1/64 dev dev nodad valid_lft forever", add("fd00::1/64", "dev")],
    ["-6 addr add fd00:0::1 dev i0 pref forever proto ra", add("fd00::1/128")],
  ] as const)
    assert.deepEqual(requestOf(line), expected, line);
});

test("addresses are shown, and events told, with our slaves put right", () => {
  for (const line of ["addr", "a", "addr show", "a l dev i0", "address lst", "addr sh up"])
    assert.equal((requestOf(line) as { verb: string }).verb, "show", line);
  assert.deepEqual(requestOf("-ts mon link"), { verb: "monitor", words: ["mon", "link"] });
});

test("a batch is ours to read", () => {
  const command = parse("-n ns0 -force -b -");
  assert.equal(command.to === "batch" && command.file, "-");
});

test("our own verbs", () => {
  assert.deepEqual(requestOf("port show -j"), { verb: "port show", json: true });
  assert.deepEqual(requestOf("port"), { verb: "port show", json: false });
  assert.deepEqual(requestOf("status"), { verb: "status", json: false });
  assert.deepEqual(requestOf("port set eth0 compat kernel"), {
    verb: "port set",
    master: "eth0",
    compat: "kernel",
  });
  assert.deepEqual(requestOf("port set dev eth0 engine userspace compat howto"), {
    verb: "port set",
    master: "eth0",
    compat: "howto",
    engine: "userspace",
  });
  assert.deepEqual(requestOf("daemon run"), { verb: "daemon run" });
  assert.deepEqual(requestOf("-n ns0 daemon run --engine ebpf"), {
    verb: "daemon run",
    engine: "ebpf",
  });
  assert.deepEqual(requestOf("docker run"), { verb: "docker run" });
  assert.deepEqual(requestOf("daemon stop --remove"), { verb: "daemon stop", remove: true });
  assert.deepEqual(requestOf("install cni"), { verb: "install", target: "cni" });
  assert.deepEqual(requestOf("uninstall docker --root /image"), {
    verb: "uninstall",
    target: "docker",
    root: "/image",
  });
  assert.equal(refusalOf("port set eth0 compat").status, 255);
  assert.match(refusalOf("port set eth0 compat linux").message, /howto or kernel/);
  assert.equal(refusalOf("port set eth0 engine").status, 255);
  assert.match(refusalOf("port set eth0 engine bpf").message, /auto, ebpf or userspace/);
  assert.match(refusalOf("port set eth0 speed 9").message, /compat or engine/);
  assert.equal(refusalOf("daemon run --engine").status, 255);
  assert.match(refusalOf("daemon run --engine fast").message, /auto, ebpf or userspace/);
  assert.match(refusalOf("daemon run now").message, /--engine/);
  assert.match(refusalOf("daemon run --engine ebpf now").message, /nothing/);
  assert.match(refusalOf("daemon start").message, /run or stop/);
  assert.deepEqual(requestOf("sim"), { verb: "sim", explain: false });
  assert.deepEqual(requestOf("sim -"), { verb: "sim", explain: false });
  const explained = { verb: "sim", explain: true, file: "howto.sh" };
  assert.deepEqual(requestOf("sim --explain howto.sh"), explained);
  assert.deepEqual(requestOf("sim howto.sh --explain"), explained);
  assert.match(refusalOf("sim --verbose").message, /--explain/);
  assert.match(refusalOf("sim a b").message, /nothing/);
  assert.equal(refusalOf("docker").status, 255);
  assert.match(refusalOf("docker ps").message, /Expected run/);
  assert.match(refusalOf("docker run now").message, /nothing/);
  assert.match(refusalOf("status all").message, /-j/);
  for (const line of ["install", "uninstall", "install cni --root"])
    assert.equal(refusalOf(line).status, 255, line);
  const { status, message } = refusalOf("install podman");
  assert.deepEqual(
    [status, message],
    [1, 'ipvlan: install: "podman"? Expected cni, docker or systemd.\n'],
  );
  assert.match(refusalOf("uninstall systemd now").message, /Expected --root/);
  assert.match(refusalOf("install cni --root / now").message, /nothing/);
});

test("help and version are ours, unless we are called ip", () => {
  assert.deepEqual(parseCommand([], "ipvlan"), { to: "reader", text: "all" });
  assert.deepEqual(parse("--help"), { to: "reader", text: "all" });
  assert.deepEqual(parse("help"), { to: "reader", text: "all" });
  assert.deepEqual(parse("--version"), { to: "reader", text: "version" });
  assert.deepEqual(parse("port help", "ip"), { to: "reader", text: "port" });
  assert.deepEqual(parse("port set help"), { to: "reader", text: "port set" });
  assert.deepEqual(parse("-n ns0 status --help"), { to: "reader", text: "status" });
  assert.deepEqual(parse("daemon stop help"), { to: "reader", text: "daemon" });
  assert.deepEqual(parse("docker run --help"), { to: "reader", text: "docker" });
  assert.deepEqual(parse("install cni help"), { to: "reader", text: "install" });
  assert.deepEqual(parse("uninstall --help"), { to: "reader", text: "install" });
  for (const line of ["--help", "help", "--version"]) assert.equal(parse(line, "ip").to, "system");
  assert.equal(parseCommand([], "ip").to, "system");
});

test("install is the system's line under the name ip, and in a batch", () => {
  for (const line of ["install cni", "uninstall", "install help"])
    assert.equal(parse(line, "ip").to, "system", line);
  const [options] = findOptions(["-force"])!;
  assert.equal(parseObject(["install", "cni"], options).to, "system");
});

test("any words: a request, a pass-through or a UsageError, never another error", () => {
  const known =
    "link l add set del show type ipvlan mode l2 l3 bridge private name dev mtu netns up -n -d -j " +
    "address port status daemon docker install cni --root compat engine ebpf --engine run stop help -- - eth0 i0 1500 02:00:00:00:00:01 " +
    "addr replace local peer monitor -batch -4 10.0.0.1/24 fd00::1";
  const word = fc.oneof(fc.constantFrom(...known.split(" ")), fc.string());
  const property = fc.property(fc.array(word, { maxLength: 14 }), (line) => {
    try {
      parseCommand(line, "ipvlan");
    } catch (error) {
      assert.ok(error instanceof UsageError, String(error));
      assert.ok([1, 2, 255].includes(error.status));
    }
  });
  fc.assert(property, { numRuns: 3000 });
});
