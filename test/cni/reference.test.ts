/** The recorded answers of the reference plugin, where there is no kernel ipvlan, beside ours (test/cni/reference.json). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inSandbox } from "../in-sandbox.ts";

interface Case {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Readonly<Record<string, unknown>>;
  readonly exit: number;
  readonly stdout: unknown;
}

interface Answer {
  readonly exit: number | null;
  readonly stdout: string;
}

const root = new URL("../../../", import.meta.url);
const plugin = fileURLToPath(new URL("dist/cni/ipvlan", root));
const cases = JSON.parse(
  readFileSync(new URL("test/cni/reference.json", root), "utf8"),
) as readonly Case[];

/** Where the kernel had no ipvlan the reference always ended with this; what ours says there instead, if it refuses. */
const UNSUPPORTED = "failed to create ipvlan: operation not supported";
const REFUSED_LATER: Readonly<Record<string, RegExp>> = {
  "ADD CNI_ARGS unknown key": /unknown args \["FOO=BAR"\]/,
  "ADD CNI_ARGS malformed": /invalid pair/,
  "ADD master is lo": /^failed to create ipvlan: invalid argument/,
  "ADD mtu 67": /^failed to create ipvlan: mtu 67 is not within 68 to 65535$/,
  "ADD ipam absent": /^no plugin name provided$/,
  "ADD ipam empty object": /^no plugin name provided$/,
  "ADD ipam type empty": /^no plugin name provided$/,
  "ADD ipam plugin does not exist":
    /^failed to find plugin "nosuchipam" in path \[\/usr\/lib\/cni\]$/,
  "ADD linkInContainer true": /^failed to lookup master "par0": Link not found$/,
  "ADD CNI_IFNAME exists in the container": /^failed to rename ipvlan to "lo": file exists$/,
  "ADD chained: prevResult without ips": /^no plugin name provided$/,
};

/** Where ours means to be better, and why. */
const BETTER: Readonly<Record<string, string>> = {
  'ADD cniVersion "1.1.0"': "ours speaks 1.1.0; the IPAM plugin here does not",
  "GC command (CNI 1.1)": "ours knows GC, of configurations of 1.1.0",
  "STATUS command (CNI 1.1)": "ours knows STATUS, of configurations of 1.1.0",
  "DEL master absent, no default route": "DEL needs no master",
  "DEL when a veth of that name stands in the container": "DEL leaves alone what is not ours",
};
/** Refused alike, but the list of versions has ours. */
const LISTS_VERSIONS = [
  'ADD cniVersion "9.9.9"',
  'ADD cniVersion "abc"',
  "ADD chained: prevResult of another version",
];
/** Another device must stand in the container first. */
const NEEDS_DEVICE: Readonly<Record<string, string>> = {
  "CHECK static ipam, a veth named CNI_IFNAME stands in the container": "veth",
  "CHECK static ipam, veth, no mac in prevResult": "veth",
  "CHECK static ipam, veth, bad mode": "veth",
  "CHECK static ipam, master missing": "veth",
  "CHECK static ipam, a macvlan named CNI_IFNAME stands in the container": "macvlan",
  "DEL when a veth of that name stands in the container": "veth",
};
/** Of the host namespace. */
const NEEDS_ROUTE: Readonly<Record<string, string>> = {
  "ADD master absent, default route via par0": "default dev par0",
  "ADD master absent, only IPv6 default route": "-6 default dev par1",
};

await inSandbox(import.meta.url, { needs: ["/usr/lib/cni/host-local"] }, () => {
  before(() => {
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/lib");
    run("ip", "link", "add", "par0", "type", "veth", "peer", "name", "par1");
    for (const name of ["par0", "par1"]) run("ip", "link", "set", name, "up");
    run("ip", "netns", "add", "clctr");
  });
  after(() =>
    run(
      process.execPath,
      fileURLToPath(new URL("dist/src/cli/main.js", root)),
      "daemon",
      "stop",
      "--remove",
    ),
  );

  for (const one of cases)
    test(one.name, () => {
      prepare(one);
      try {
        const before = devices();
        const answer = ask(one);
        compare(one, answer);
        if (one.env.CNI_COMMAND === "ADD" && answer.exit === 0)
          assert.deepEqual(ask(one, "DEL"), { exit: 0, stdout: "" });
        assert.deepEqual(devices(), before);
      } finally {
        cleanUp(one);
      }
    });
});

function compare({ name, exit, stdout }: Case, answer: Answer): void {
  const said = answer.stdout === "" ? "" : (JSON.parse(answer.stdout) as Record<string, unknown>);
  if (name in BETTER || name.startsWith("VERSION")) return;
  const expected = stdout as Record<string, unknown>;
  if (expected.msg === UNSUPPORTED) {
    const refusal = REFUSED_LATER[name];
    if (refusal !== undefined) assert.match(String((said as Record<string, unknown>).msg), refusal);
    else assert.equal(answer.exit, 0, answer.stdout);
    return;
  }
  assert.equal(answer.exit, exit);
  if (LISTS_VERSIONS.includes(name))
    assert.equal((said as Record<string, unknown>).code, expected.code);
  else if (!name.endsWith("namespace") && !name.endsWith("directory"))
    assert.deepEqual(said, stdout);
}

function ask({ env, stdin }: Case, command = env.CNI_COMMAND): Answer {
  const input = typeof stdin.raw === "string" ? stdin.raw : JSON.stringify(stdin);
  const { PATH, IPVLAN_ENGINE } = process.env;
  const { status, stdout } = spawnSync(process.execPath, [plugin], {
    input: input.replaceAll("/tmp/cni-ipam", "/run/cni-ipam"),
    encoding: "utf8",
    env: { PATH, IPVLAN_ENGINE, ...env, ...(command !== undefined && { CNI_COMMAND: command }) },
  });
  return { exit: status, stdout };
}

function prepare({ name }: Case): void {
  const kind = NEEDS_DEVICE[name];
  if (kind === "veth")
    run("ip", "-n", "clctr", "link", "add", "eth0", "address", "02:11:22:33:44:55", "type", "veth");
  if (kind === "macvlan")
    run("ip", "link", "add", "link", "par1", "name", "eth0", "netns", "clctr", "type", "macvlan");
  const route = NEEDS_ROUTE[name];
  if (route !== undefined) run("ip", ...insertRoute(route.split(" ")));
}

const insertRoute = (words: readonly string[]): string[] =>
  words[0] === "-6" ? ["-6", "route", "add", ...words.slice(1)] : ["route", "add", ...words];

function cleanUp({ name }: Case): void {
  if (NEEDS_DEVICE[name] !== undefined) run("ip", "-n", "clctr", "link", "del", "eth0");
  const route = NEEDS_ROUTE[name];
  if (route !== undefined)
    run("ip", ...insertRoute(route.split(" ")).map((word) => (word === "add" ? "del" : word)));
}

/** Names of the devices in the container. */
function devices(): string[] {
  const { stdout } = spawnSync("ip", ["-n", "clctr", "-j", "link"], { encoding: "utf8" });
  return (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) => ifname);
}

function run(program: string, ...words: string[]): void {
  const { status, stderr } = spawnSync(program, words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${words.join(" ")}: ${stderr}`);
}
