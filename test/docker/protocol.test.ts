/**
 * The protocol without dockerd: the requests that dockerd 20.10 sent to another driver (recorded.json), and whatever else
 * may come on the socket.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import type { FastifyInstance } from "fastify";
import { BODY_BYTES_MAX, buildServer } from "../../src/docker/server.ts";
import { Fakes } from "./fakes.ts";

interface Asked {
  readonly path: string;
  readonly request: object | null;
  /** The other driver's. */
  readonly response: { readonly Err?: string };
}

const RECORDED = JSON.parse(
  readFileSync(new URL("../../../test/docker/recorded.json", import.meta.url), "utf8"),
) as readonly { readonly scenario: string; readonly requests: readonly Asked[] }[];

const LOG = { debug() {}, info() {}, warn() {}, error() {} };
const open: Fakes[] = [];
after(() => {
  for (const fakes of open) fakes.remove();
});

function serve(): { server: FastifyInstance; fakes: Fakes } {
  const fakes = new Fakes(["par0"]);
  open.push(fakes);
  return { server: buildServer(fakes.driver(), LOG), fakes };
}

/** As dockerd asks: without a content type. */
async function ask(server: FastifyInstance, url: string, payload: string | Buffer) {
  const {
    statusCode,
    payload: text,
    headers,
  } = await server.inject({ method: "POST", url, payload });
  return { statusCode, headers, answer: JSON.parse(text) as { readonly Err?: string } };
}

describe("what dockerd sent", () => {
  for (const { scenario, requests } of RECORDED)
    test(`${scenario}: is answered, and nothing is left`, async () => {
      const { server, fakes } = serve();
      for (const { path, request, response } of requests) {
        // What the other driver refused to make, dockerd never spoke of again.
        if (path.includes(".Create") && response.Err !== undefined) continue;
        const { statusCode, answer } = await ask(
          server,
          path,
          request === null ? "" : JSON.stringify(request),
        );
        assert.equal(statusCode, 200);
        assert.equal(refusal(request, answer), undefined, `${path} ${JSON.stringify(request)}`);
      }
      assert.deepEqual([fakes.made.size, [...fakes.devices]], [0, ["par0"]]);
    });
});

/** Of one with a MAC of its own we have no endpoint. */
function refusal(request: object | null, { Err }: { readonly Err?: string }): string | undefined {
  const isExpected =
    Err?.includes("custom mac address") === true ||
    (Err?.includes("is not known") === true && JSON.stringify(request).includes(MAC_ENDPOINT));
  return isExpected ? undefined : Err;
}
const MAC_ENDPOINT = RECORDED.flatMap(({ requests }) => requests)
  .map(
    ({ request }) => request as { EndpointID: string; Interface?: { MacAddress: string } } | null,
  )
  .find((request) => request?.Interface?.MacAddress)!.EndpointID;

test("it says what it is", async () => {
  const { server } = serve();
  const { answer, headers } = await ask(server, "/Plugin.Activate", "");
  assert.deepEqual(answer, { Implements: ["NetworkDriver"] });
  assert.equal(headers["content-type"], "application/vnd.docker.plugins.v1.2+json");
  const capabilities = await ask(server, "/NetworkDriver.GetCapabilities", "");
  assert.deepEqual(capabilities.answer, { Scope: "local", ConnectivityScope: "global" });
});

const PATHS = [...new Set(RECORDED.flatMap(({ requests }) => requests.map(({ path }) => path)))];
/** Requests of dockerd with one member something else. */
const MUTATED = fc
  .tuple(fc.constantFrom(...RECORDED.flatMap(({ requests }) => requests)), fc.nat(), fc.jsonValue())
  .map(([{ path, request }, at, value]) => {
    const keys = Object.keys(request ?? {});
    const key = keys[at % Math.max(keys.length, 1)] ?? "NetworkID";
    return [path, JSON.stringify({ ...request, [key]: value })] as const;
  });
const ANYTHING = fc.tuple(
  fc.constantFrom(...PATHS, "/", "/NetworkDriver.Nothing", "/NetworkDriver.AllocateNetwork"),
  fc.oneof(
    fc.json(),
    fc.string(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  ),
);

test("whatever comes: an answer or one line of refusal", async () => {
  const { server } = serve();
  await fc.assert(
    fc.asyncProperty(fc.oneof(MUTATED, ANYTHING), async ([path, body]) => {
      const { statusCode, answer } = await ask(server, path, body);
      assert.ok([200, 400, 404].includes(statusCode), String(statusCode));
      assert.equal(typeof answer, "object");
      if (statusCode === 200 && answer.Err === undefined) return;
      assert.match(answer.Err ?? "", /^[^\n]+$/);
      assert.doesNotMatch(answer.Err ?? "", /\.ts:|node:|undefined|Cannot read/);
    }),
    { numRuns: 2000 },
  );
});

test("a body has a limit", async () => {
  const { server } = serve();
  const body = JSON.stringify({ NetworkID: "0".repeat(BODY_BYTES_MAX) });
  const { statusCode, answer } = await ask(server, "/NetworkDriver.DeleteNetwork", body);
  assert.equal(statusCode, 413);
  assert.match(answer.Err ?? "", /too large/);
});
