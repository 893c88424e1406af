import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CniError } from "./errors.ts";
import { COMMANDS, parseRequest } from "./request.ts";
import { formatResult, readResult } from "./result.ts";
import { VERSIONS } from "./version.ts";

const KEYS = ["cniVersion", "name", "type", "master", "mode", "flag", "engine", "mtu"];
const MORE_KEYS = ["linkInContainer", "ipam", "dns", "capabilities", "prevResult"];
const RESULT_KEYS = ["interfaces", "ips", "routes", "ip4", "ip6", "dns", "cniVersion"];
const INNER_KEYS = ["type", "address", "ip", "gateway", "dst", "gw", "mac", "interface", "mtu"];

/** Values that say something more often than any JSON would. */
const leaf = fc.oneof(
  fc.jsonValue({ maxDepth: 1 }),
  fc.constantFrom(...VERSIONS, "10.0.0.1/24", "10.0.0.1", "fd00::1/64", "::/0", "eth0", 1, null),
);
const objectOf = (keys: readonly string[], value: fc.Arbitrary<unknown>) =>
  fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), value, { maxKeys: 6 });
const inner = fc.oneof(leaf, objectOf(INNER_KEYS, fc.oneof(leaf, fc.array(leaf))));
const result = objectOf(RESULT_KEYS, fc.oneof(inner, fc.array(inner, { maxLength: 3 })));
const config = objectOf(
  [...KEYS, ...MORE_KEYS, "cni.dev/valid-attachments"],
  fc.oneof(inner, fc.array(inner, { maxLength: 3 }), result),
);
const text = fc.oneof(
  config.map((one) => JSON.stringify(one)),
  config.map((one) => JSON.stringify({ cniVersion: "1.0.0", name: "net", ...one })),
  fc.json(),
  fc.string(),
  config.chain((one) => {
    const whole = JSON.stringify(one);
    return fc.nat(whole.length).map((length) => whole.slice(0, length));
  }),
);
/** Mostly what it should be. */
const mostly = (...usual: string[]) =>
  fc.oneof({ arbitrary: fc.constantFrom(...usual), weight: 9 }, fc.string());
const env = fc.record(
  {
    CNI_COMMAND: mostly(...COMMANDS),
    CNI_CONTAINERID: mostly("id"),
    CNI_NETNS: mostly("/run/netns/a"),
    CNI_IFNAME: mostly("eth0"),
    CNI_PATH: fc.constant("/opt/cni/bin"),
  },
  { requiredKeys: ["CNI_COMMAND", "CNI_PATH"] },
);

/** Whether it was a value. */
function isValue(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    assert.notEqual(error.message, "");
    return false;
  }
}

test("whatever is asked: a request, or an error of the specification's", () => {
  let values = 0;
  const property = fc.property(env, text, (variables, said) => {
    if (isValue(() => parseRequest(variables, said))) values++;
  });
  fc.assert(property, { numRuns: 5000 });
  assert.ok(values > 50, `only ${values} were requests`);
});

test("whatever a result says: it is read, and written in every form, or refused", () => {
  let values = 0;
  const property = fc.property(result, fc.constantFrom(...VERSIONS), (said, version) => {
    const read = () => formatResult(readResult(JSON.parse(JSON.stringify(said))), version);
    if (isValue(read)) values++;
  });
  fc.assert(property, { numRuns: 5000 });
  assert.ok(values > 50, `only ${values} were results`);
});

test("deep JSON is no deeper for us", () => {
  const deep = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  const variables = { CNI_COMMAND: "GC", CNI_PATH: "/opt/cni/bin" };
  for (const key of ["x", "dns", "prevResult", "mtu"])
    isValue(() =>
      parseRequest(variables, `{"name":"n","cniVersion":"1.1.0","${key}":${deep(1_000_000)}}`),
    );
  isValue(() =>
    readResult(JSON.parse(`{"cniVersion":"1.0.0","ips":[{"address":${deep(1_000_000)}}]}`)),
  );
});
