/**
 * The control API in front of a registry that only pretends: what it says of itself is true, and whatever it is sent,
 * it answers, soon, in its own words, and goes on.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Ajv, type ValidateFunction } from "ajv";
import * as fc from "fast-check";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import { PortError } from "../driver/errors.ts";
import { BODY_BYTES_MAX, buildApi, CONNECTIONS_MAX, REQUEST_MS_MAX } from "./api.ts";
import type { Registry } from "./registry.ts";
import { requests, type Schema } from "./schemas.ts";

const FILE = new URL("../../../docs/openapi.json", import.meta.url);
const HERE = "/proc/self/ns/net";
const folder = mkdtempSync(`${tmpdir()}/ipvlan-api-`);
const socketPath = `${folder}/s`;

/** Requests that reached the registry. */
let reached = 0;
let isStopping = false;
const registry = {
  ports: [],
  settle() {},
  nsidOf: () => 0,
  addSlave: refuse,
  setSlave: refuse,
  removeSlave: () => Promise.resolve(),
  removeLabelled: () => Promise.resolve(),
  setCompat: refuse,
};
async function refuse(): Promise<never> {
  reached++;
  throw new PortError("ENODEV");
}

let api: FastifyInstance;
before(async () => {
  api = buildApi({
    registry: registry as unknown as Registry,
    log: pino({ level: "silent" }),
    isStopping: () => isStopping,
    stop: () => Promise.resolve(),
    end() {},
  });
  await api.ready();
  await new Promise<void>((done) => {
    api.server.listen({ path: socketPath, backlog: CONNECTIONS_MAX }, done);
  });
});
after(async () => {
  api.server.closeAllConnections();
  api.server.close();
  rmSync(folder, { recursive: true });
});

test("docs/openapi.json is what the daemon says of itself", async () => {
  const { body } = await ask("GET", "/v1/openapi.json");
  if (process.env.UPDATE !== undefined) writeFileSync(FILE, JSON.stringify(body, null, 2));
  const written = JSON.parse(readFileSync(FILE, "utf8"));
  assert.deepEqual(written, body, "UPDATE=1 npm test -- src/daemon/api && npm run format");
});

describe("whatever it is sent", () => {
  const anyText = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      HERE,
      "/",
      "/proc/version",
      "/dev/zero",
      "eth0",
      "../x",
      "a\0b",
      "l2",
      "private",
    ),
  );
  const anyBody = fc.oneof(
    fc.json(),
    anyText,
    ...Object.values(requests).flatMap(alternatives).map(anyOf),
  );
  const anyRequest = fc.record({
    method: fc.constantFrom("GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"),
    path: fc.oneof(
      fc.constantFrom("/v1/links", "/v1/ports", "/v1/stop", `/v1/links?netns=${HERE}`),
      fc.webPath(),
    ),
    type: fc.constantFrom("application/json", "text/plain", "multipart/form-data", "x"),
    body: anyBody,
  });

  test("it answers 2xx, or 4xx with a reason", async () => {
    const validate = await validators();
    await fc.assert(
      fc.asyncProperty(anyRequest, async ({ method, path, type, body }) => {
        const sent = method === "GET" ? undefined : body;
        const answer = await ask(method, path, sent, type);
        assert.ok(answer.status >= 200 && answer.status < 500, JSON.stringify(answer));
        if (answer.status >= 400) validate.refusal(answer.body);
        assert.doesNotMatch(JSON.stringify(answer.body ?? ""), /\.(ts|js):\d/);
      }),
      { numRuns: 400, includeErrorInReport: true },
    );
  });

  function alternatives(schema: Schema): readonly Schema[] {
    return (schema.anyOf as Schema[] | undefined) ?? [schema];
  }

  /** What a request's schema allows, more or less. */
  function anyOf(schema: Schema): fc.Arbitrary<string> {
    const { properties } = schema as unknown as {
      properties: Record<string, { enum?: string[]; type: string }>;
    };
    const fields = Object.entries(properties).map(([name, { enum: words, type }]) => {
      const right =
        words !== undefined
          ? fc.constantFrom(...words)
          : type === "boolean"
            ? fc.boolean()
            : type === "integer"
              ? fc.integer({ min: 0 })
              : anyText;
      return [name, fc.oneof({ weight: 5, arbitrary: right }, fc.jsonValue())] as const;
    });
    const record = fc.record(Object.fromEntries(fields), { requiredKeys: [] });
    return record.map((value) => JSON.stringify({ netns: HERE, ...value }));
  }
});

test("a body too large is refused before it is there", async () => {
  const connection = await open();
  connection.write(head("POST", "/v1/links", 1 << 30));
  assert.match(await heard(connection), /^HTTP\/1\.1 413 [\s\S]*"EINVAL"/);
  const { status } = await ask("POST", "/v1/links", JSON.stringify("x".repeat(BODY_BYTES_MAX)));
  assert.equal(status, 413);
});

test("what is not HTTP is answered 400 and cut off", async () => {
  for (const bytes of [
    "\0\0\0",
    "GET\r\n\r\n",
    "BREW /v1/links HTTP/1.1\r\n\r\n",
    "x".repeat(1 << 20),
  ]) {
    const connection = await open();
    connection.write(bytes);
    assert.match(await heard(connection), /^(HTTP\/1\.1 400 [\s\S]*"EINVAL"|$)/);
  }
  await stillAnswers();
});

test("1000 requests at once are all answered", async () => {
  const body = JSON.stringify({ netns: HERE, master: "eth0", name: "i0" });
  reached = 0;
  const answers = await Promise.all(
    Array.from({ length: 1000 }, () => ask("POST", "/v1/links", body)),
  );
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [400]);
  assert.equal(reached, 1000);
});

test("connections that say nothing are bounded and cut off, and so are slow ones", async () => {
  const silent = await Promise.all(Array.from({ length: CONNECTIONS_MAX - 20 }, open));
  const slowHead = await open();
  const slowBody = await open();
  slowBody.write(head("POST", "/v1/links", 1000));
  const trickle = setInterval(() => {
    slowHead.write("x");
    slowBody.write(" ");
  }, 100);
  const started = performance.now();
  await stillAnswers();
  try {
    await Promise.all([...silent, slowHead, slowBody].map(closed));
  } finally {
    clearInterval(trickle);
  }
  assert.ok(performance.now() - started < 3 * REQUEST_MS_MAX);
  await stillAnswers();
});

test("beyond the limit connections are turned away, not kept", async () => {
  const many = Array.from({ length: CONNECTIONS_MAX + 100 }, () => connect(socketPath));
  for (const one of many) one.on("error", () => {});
  const isAway = () => many.filter(({ closed, destroyed }) => closed || destroyed).length >= 100;
  for (const one of many) one.resume();
  while (!isAway()) await sleep(20);
  for (const one of many) one.destroy();
  await sleep(50);
  await stillAnswers();
});

test("who asks a daemon that is ending is cut off, as if it had gone", async (t) => {
  isStopping = true;
  t.after(() => {
    isStopping = false;
  });
  await assert.rejects(ask("GET", `/v1/ports?netns=${HERE}`), { code: "ECONNRESET" });
});

async function validators() {
  const { body } = await ask("GET", "/v1/openapi.json");
  const ajv = new Ajv({ strict: false }).addSchema(body as object, "api");
  const byName = (path: string) => {
    const validate = ajv.compile({ $ref: `api#${path}` }) as ValidateFunction;
    return (value: unknown) => assert.ok(validate(value), ajv.errorsText(validate.errors));
  };
  return {
    refusal: byName("/paths/~1v1~1links/post/responses/default/content/application~1json/schema"),
  };
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Long enough for a machine that is busy with other things. */
const ANSWER_MS = 60_000;

function ask(
  method: string,
  path: string,
  body?: string,
  type = "application/json",
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined ? {} : { "content-type": type, "content-length": Buffer.byteLength(body) };
    const asked = request({ socketPath, method, path, headers, agent: false }, async (response) => {
      let text = "";
      for await (const piece of response.setEncoding("utf8")) text += piece;
      resolve({ status: response.statusCode!, body: text === "" ? undefined : JSON.parse(text) });
    });
    asked.on("error", reject);
    asked.setTimeout(ANSWER_MS, () => asked.destroy(new Error("no answer")));
    asked.end(body);
  });
}

async function stillAnswers(): Promise<void> {
  assert.equal((await ask("GET", `/v1/links?netns=${HERE}`)).status, 200);
}

async function open(): Promise<Socket> {
  const connection = connect(socketPath).on("error", () => {});
  await once(connection, "connect");
  connection.resume();
  return connection;
}

async function heard(connection: Socket): Promise<string> {
  let text = "";
  connection.setEncoding("utf8").on("data", (piece) => {
    text += piece;
  });
  await closed(connection);
  return text;
}

const closed = (connection: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (connection.closed) resolve();
    else connection.once("close", () => resolve());
  });

const head = (method: string, path: string, length: number): string =>
  `${method} ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
