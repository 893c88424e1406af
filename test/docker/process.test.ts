/** `ipvlan docker run` itself, without dockerd: a disk that takes nothing, a state that is broken, and bad requests. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { buildLan, shell } from "../../scripts/lab.ts";
import { GRACE_MS } from "../../src/docker/orphans.ts";
import { BODY_BYTES_MAX } from "../../src/docker/server.ts";
import { daemonPid, isDaemonOther, until } from "../daemon.ts";
import { inSandbox } from "../in-sandbox.ts";
import { driver } from "./ground.ts";
import { ask, askByHalves, post, SOCKET, writeRaw } from "./plugin.ts";

const FOLDER = "/var/lib/ipvlan";
const STATE = `${FOLDER}/docker/state.json`;
const NetworkID = "a".repeat(64);
const EndpointID = "b".repeat(64);
const OTHER = "c".repeat(64);
const OF_ENDPOINT = { NetworkID, EndpointID };
const OWN = `di-${NetworkID.slice(0, 12)}`;
const SLAVE = `dk-${EndpointID.slice(0, 12)}`;
/** And the pair by which its port's frames go up. */
const ENDS_OF_SLAVE = /^(dk-|s\d+[.]|ipvlup)/;

const ON_ETH0 = { "com.docker.network.generic": { parent: "eth0" } };

await inSandbox(import.meta.url, {}, () => {
  before(async () => {
    await buildLan();
    await shell(
      "host",
      `mount -t tmpfs tmpfs /var/lib
       mkdir ${FOLDER}
       mount -t tmpfs -o size=64k tmpfs ${FOLDER}`,
    );
  });
  after(() => shell("host", "ipvlan daemon stop --remove || true"));

  describe("a disk that takes nothing", () => {
    for (const { disk, reason, block, unblock } of [
      {
        disk: "full",
        reason: /ENOSPC: no space left on device/,
        block: `dd if=/dev/zero of=${FOLDER}/fill bs=4k || true`,
        unblock: `rm ${FOLDER}/fill`,
      },
      {
        disk: "read-only",
        reason: /EROFS: read-only file system/,
        block: `mount -o remount,bind,ro ${FOLDER}`,
        unblock: `mount -o remount,bind,rw ${FOLDER}`,
      },
    ]) {
      test(
        `${disk}: each request is refused with the file's name and changes nothing, then succeeds`,
        served(async () => {
          for (const { method, body, gone } of [
            { method: "CreateNetwork", body: { NetworkID } }, // with a master that is made for it
            { method: "CreateNetwork", body: { NetworkID: OTHER, Options: ON_ETH0 } },
            { method: "CreateEndpoint", body: OF_ENDPOINT },
            { method: "Join", body: OF_ENDPOINT },
            // dockerd forgets an endpoint whatever it hears, so the slave goes first.
            { method: "DeleteEndpoint", body: OF_ENDPOINT, gone: ENDS_OF_SLAVE },
            { method: "DeleteNetwork", body: { NetworkID } },
          ]) {
            const { devices, ...files } = await look();
            await shell("host", block);
            await assert.rejects(ask(method, body), ({ message }: Error) => {
              assert.match(message, new RegExp(`^${method}: ${STATE} cannot be written: [^\n]+$`));
              assert.match(message, reason);
              return true;
            });
            const left = devices.filter((name) => gone?.test(name) !== true);
            assert.deepEqual(await look(), { devices: left, ...files }, method);
            await shell("host", unblock);
            await ask(method, body);
          }
          await ask("DeleteNetwork", { NetworkID: OTHER });
          assert.deepEqual(await look(), { devices: ["eth0", "lo"], files: [], state: undefined });
        }),
      );

      test(
        `${disk}: a driver starts and knows its networks, and a container is let go`,
        served(async () => {
          await ask("CreateNetwork", { NetworkID });
          await ask("CreateEndpoint", OF_ENDPOINT);
          await ask("Join", OF_ENDPOINT);
          await driver.end("SIGKILL");
          await shell("host", block);
          await driver.start();
          const seen = await look();
          assert.ok(seen.devices.includes(OWN) && seen.devices.includes(SLAVE));
          await ask("Leave", OF_ENDPOINT);
          assert.deepEqual(await look(), seen);
          await shell("host", unblock);
          await ask("DeleteEndpoint", OF_ENDPOINT);
          await ask("DeleteNetwork", { NetworkID });
          assert.deepEqual((await look()).devices, ["eth0", "lo"]);
        }),
      );
    }

    test(
      "full: the last network can be removed all the same",
      served(async () => {
        await ask("CreateNetwork", { NetworkID });
        await shell("host", `dd if=/dev/zero of=${FOLDER}/fill bs=4k || true`);
        await ask("DeleteNetwork", { NetworkID });
        await shell("host", `rm ${FOLDER}/fill`);
        assert.deepEqual(await look(), { devices: ["eth0", "lo"], files: [], state: undefined });
      }),
    );
  });

  describe("a state that is broken: one line, exit status 2, and nobody is served", () => {
    const network = { id: NetworkID, parent: "eth0", mode: "l2", flag: "bridge", subnets: [] };
    const whole = JSON.stringify({ networks: [network], endpoints: [] });
    const broken = /^ipvlan: \S+state\.json is not as it was written: remove it, and [^\n]+\n$/;
    const unreadable = /^ipvlan: \S+state\.json cannot be read: E[^\n]+\n$/;
    afterEach(() => rmSync(dirname(STATE), { recursive: true, force: true }));

    for (const [what, make, said] of [
      ["nothing in it", () => writeFileSync(STATE, ""), broken],
      ["bytes", () => writeFileSync(STATE, Uint8Array.of(0, 0xff, 0x7b, 0x80)), broken],
      ["cut off", () => writeFileSync(STATE, whole.slice(0, -3)), broken],
      ["a list", () => writeFileSync(STATE, `[${whole}]`), broken],
      ["a mode of no name", () => writeFileSync(STATE, whole.replace("l2", "l4")), broken],
      ["an id that is a number", () => writeFileSync(STATE, whole.replace(/"a+"/, "7")), broken],
      ["a folder", () => mkdirSync(STATE), unreadable],
      ["a link to itself", () => symlinkSync(STATE, STATE), unreadable],
    ] as const)
      test(what, async () => {
        mkdirSync(dirname(STATE));
        make();
        await assert.rejects(shell("host", "timeout 20 ipvlan docker run"), {
          code: 2,
          stdout: "",
          stderr: said,
        });
        assert.ok(!existsSync(SOCKET));
      });

    test("a file where its folder should be", async () => {
      writeFileSync(dirname(STATE), "");
      await assert.rejects(shell("host", "timeout 20 ipvlan docker run"), {
        code: 2,
        stderr: unreadable,
      });
    });
  });

  test(
    "a second driver says that there is one, and the first one serves on",
    served(async () => {
      await assert.rejects(shell("host", "timeout 20 ipvlan docker run"), {
        code: 3,
        stderr: "ipvlan: another driver serves dockerd here\n",
      });
    }),
  );

  test(
    "after a reboot the masters that it made are made again",
    served(async () => {
      await ask("CreateNetwork", { NetworkID });
      await driver.end("SIGKILL");
      await shell("host", `ip link del ${OWN}`);
      await driver.start();
      assert.ok((await look()).devices.includes(OWN));
      await ask("DeleteNetwork", { NetworkID });
    }),
  );

  test(
    "a daemon that is killed is followed by another at once, as long as there is a container",
    served(async () => {
      await ask("CreateNetwork", { NetworkID });
      await ask("CreateEndpoint", OF_ENDPOINT);
      await ask("Join", OF_ENDPOINT);
      await sleep(4000); // by then it has looked for orphans, as it does soon after CreateNetwork
      const before = daemonPid();
      process.kill(before, "SIGKILL");
      const began = performance.now();
      await until(
        async () => isDaemonOther(before),
        (isSo) => isSo,
      );
      assert.ok(performance.now() - began < GRACE_MS / 2, "not only when orphans are looked for");
      await ask("DeleteEndpoint", OF_ENDPOINT);
      await ask("DeleteNetwork", { NetworkID });
    }),
  );

  test(
    "a network's own master is up, has a carrier, and nobody is at home at its far end",
    served(async () => {
      await ask("CreateNetwork", { NetworkID });
      assert.match(await shell("host", `ip link show ${OWN}`), /LOWER_UP.* state UP /);
      const other = OWN.replace("di", "dj");
      assert.match(await shell("host", `ip link show ${other}`), /NOARP/);
      assert.equal(await shell("host", `ip addr show ${other} | grep inet || true`), "");
      await ask("DeleteNetwork", { NetworkID });
    }),
  );

  describe("bad requests: refused, and the next one is served", () => {
    test(
      "what is no request of the protocol: 400 or 404, with one line",
      served(async () => {
        for (const [path, body, status] of [
          ["/NetworkDriver.CreateNetwork", "{", 400],
          ["/NetworkDriver.CreateNetwork", "", 400],
          ["/NetworkDriver.CreateNetwork", "[]", 400],
          ["/NetworkDriver.CreateNetwork", '{"NetworkID":7}', 400],
          ["/NetworkDriver.DeleteNetwork", '{"NetworkID":"../../etc"}', 400],
          ["/NetworkDriver.Join", '{"NetworkID":"0123456789ab"}', 400],
          ["/NetworkDriver.Nothing", "{}", 404],
          ["/", "", 404],
        ] as const) {
          const reply = await post(path, body);
          assert.equal(reply.status, status, `${path} ${body.slice(0, 40)}`);
          assert.match((JSON.parse(reply.text) as { Err: string }).Err, /^[^\n]+$/);
        }
        assert.deepEqual((await look()).devices, ["eth0", "lo"]);
      }),
    );

    test(
      "what is no HTTP or has no end: 400, 413 or 431",
      served(async () => {
        const post = "POST /NetworkDriver.Join HTTP/1.1\r\nHost: x\r\n";
        for (const [bytes, status] of [
          ["hello\r\n\r\n", 400],
          [Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 0xfc, 3, 3), 400], // TLS
          [`${post}Content-Length: -5\r\n\r\n`, 400],
          [`${post}Content-Length: ${BODY_BYTES_MAX + 1}\r\n\r\n`, 413],
          [`${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400],
          [`GET /${"a".repeat(20_000)} HTTP/1.1\r\n\r\n`, 431],
        ] as const)
          assert.match(await writeRaw(bytes), new RegExp(`^HTTP/1\\.1 ${status} `));
      }),
    );

    test(
      "half a request, and the connection is closed, a hundred times",
      served(async () => {
        for (let i = 0; i < 100; i++) (await askByHalves()).destroy();
      }),
    );
  });

  test(
    "half a request is given up by the driver, too",
    { timeout: 30_000 },
    served(async () => {
      const connection = await askByHalves();
      connection.resume();
      await once(connection, "close");
    }),
  );

  test("half a request does not keep the driver from ending", { timeout: 20_000 }, async (t) => {
    await driver.start();
    const connection = await askByHalves();
    t.after(() => connection.destroy());
    await driver.end();
    assert.ok(!existsSync(SOCKET));
  });
});

/** A test of a driver that serves, and serves still in the end. */
function served(action: () => Promise<void>): () => Promise<void> {
  return async () => {
    await driver.start();
    try {
      await action();
      assert.equal((await post("/Plugin.Activate", "")).status, 200);
      assert.doesNotMatch(readFileSync(driver.log, "utf8"), /^\s+at /m);
    } finally {
      await driver.end();
      await shell("host", `mount -o remount,bind,rw ${FOLDER}; rm -rf ${FOLDER}/*`);
    }
  };
}

/** What there is of ours: devices, files, and what the state says but for times. */
async function look(): Promise<{ devices: string[]; files: string[]; state: string | undefined }> {
  const lines = async (line: string) =>
    (await shell("host", line)).split("\n").filter((each) => each !== "");
  return {
    devices: await lines("ls /sys/class/net"),
    files: await lines(`find ${FOLDER} -mindepth 1 ! -name fill | sort`),
    state: existsSync(STATE) ? readFileSync(STATE, "utf8") : undefined,
  };
}
