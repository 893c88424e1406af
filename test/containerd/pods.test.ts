/** Pods as a kubelet makes them, by CRI over gRPC, on a network of ours. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { shell, spawnAt } from "../../scripts/lab.ts";
import { ROOT } from "../documents.ts";
import { LongPing } from "../long-ping.ts";
import { assertNothingLeft, containerd, IMAGE, onContainerd, SOCKET } from "./ground.ts";

interface Runtime {
  ask<Answer = object>(method: string, request: object): Promise<Answer>;
  close(): void;
}

await onContainerd(import.meta.url, { engines: "both", usually: "ebpf" }, () => {
  const runtime = connect();
  after(() => runtime.close());

  test("two pods reach each other and the LAN, and nothing is left of them", async () => {
    const [a, b] = [await runPod(runtime, "a"), await runPod(runtime, "b")];
    for (const to of [b.ip, "10.0.0.1"]) assert.match(await a.ping(to), / 0% packet loss/);
    assert.match(await b.ping(a.ip), / 0% packet loss/);
    await shell("lan", `ping -c 1 -W 2 ${a.ip}`);
    for (const pod of [a, b]) await pod.remove();
    await assertNothingLeft();
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const)
    test(`containerd ends by ${signal} under a ping: no answer is missing, and the pod is removed after`, async () => {
      const pod = await runPod(runtime, `end-${signal.toLowerCase()}`);
      const ping = new LongPing("lan", pod.ip);
      await ping.hear();
      await containerd.end(signal);
      await ping.hear();
      await containerd.start();
      await ping.hear();
      assert.deepEqual(await ping.end(), []);
      await pod.remove();
      await assertNothingLeft();
    });

  test("pods with IPv6 reach each other and the LAN by it, and their status tells the address", async (t) => {
    const six = '"ranges": [[{ "subnet": "fd00::/64", "rangeStart": "fd00::50" }], [{';
    await changeNetwork('"ranges": [[{', six, t);
    const [a, b] = [await runPod(runtime, "six-a"), await runPod(runtime, "six-b")];
    for (const { ips } of [a, b]) {
      assert.match(ips[0]!, /^10\.0\.0\./);
      assert.match(ips[1]!, /^fd00::/);
    }
    for (const to of [b.ips[1]!, "fd00::1"]) assert.match(await a.ping(to), / 0% packet loss/);
    await shell("lan", `ping -c 1 -W 2 ${a.ips[1]}`);
    for (const pod of [a, b]) await pod.remove();
    await assertNothingLeft();
  });

  test("ctr run --cni: a slave while the container runs, and nothing of it after", async () => {
    const container = spawnAt("host", ["ctr", "run", "--rm", "--cni", IMAGE, "c", "sleep", "1000"]);
    const ended = once(container, "close");
    await shell("host", "until ctr tasks ls | grep -q RUNNING; do sleep 0.1; done");
    assert.match(await shell("host", "ipvlan port show"), /^eth0: mode l2 /);
    await shell("host", "ctr tasks kill -s KILL c");
    await ended;
    await assertNothingLeft();
  });

  test("a pod that cannot have an address leaves nothing", async (t) => {
    const one = '"rangeStart": "10.0.0.50"';
    await changeNetwork(one, `${one}, "rangeEnd": "10.0.0.50"`, t);
    const pod = await runPod(runtime, "first");
    await assert.rejects(runPod(runtime, "second"), /no IP addresses available in range set/);
    await pod.remove();
    await assertNothingLeft();
  });
});

/** What the network's file says, until the test's end. */
async function changeNetwork(before: string, now: string, t: TestContext): Promise<void> {
  const file = "/etc/cni/net.d/lan.conflist";
  const said = readFileSync(file, "utf8");
  const write = async (text: string) => {
    writeFileSync(file, text);
    await sleep(500); // containerd watches the folder
  };
  t.after(() => write(said));
  await write(said.replace(before, now));
}

interface Pod {
  /** The first of them. */
  readonly ip: string;
  readonly ips: readonly string[];
  ping(to: string): Promise<string>;
  remove(): Promise<void>;
}

interface Network {
  readonly ip: string;
  readonly additional_ips: readonly { readonly ip: string }[];
}

async function runPod(runtime: Runtime, name: string): Promise<Pod> {
  const metadata = { name, uid: `uid-${name}`, namespace: "default" };
  const config = { metadata, log_directory: "/run/logs", linux: {} };
  const pod = await runtime.ask<{ pod_sandbox_id: string }>("RunPodSandbox", { config });
  const { status } = await runtime.ask<{ status: { network: Network } }>("PodSandboxStatus", pod);
  const { ip, additional_ips } = status.network;
  const container = await runtime.ask<{ container_id: string }>("CreateContainer", {
    ...pod,
    config: { metadata: { name: "c" }, image: { image: IMAGE }, command: ["sleep", "1000"] },
    sandbox_config: config,
  });
  await runtime.ask("StartContainer", container);
  return {
    ip,
    ips: [ip, ...additional_ips.map((one) => one.ip)],
    ping: async (to) => {
      const cmd = ["ping", "-c", "1", "-W", "2", to];
      const { stdout } = await runtime.ask<{ stdout: Buffer }>("ExecSync", {
        ...container,
        cmd,
        timeout: 5,
      });
      return String(stdout);
    },
    remove: async () => {
      await runtime.ask("StopPodSandbox", pod);
      await runtime.ask("RemovePodSandbox", pod);
    },
  };
}

function connect(): Runtime {
  const file = path.join(ROOT, "test/containerd/cri.proto");
  const definition = loadSync(file, { keepCase: true, defaults: true });
  const service = (definition["runtime.v1.RuntimeService"] ?? {}) as grpc.ServiceDefinition;
  const client = new grpc.Client(`unix:${SOCKET}`, grpc.credentials.createInsecure());
  return {
    ask: <Answer>(method: string, request: object) =>
      new Promise<Answer>((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = service[method]!;
        client.makeUnaryRequest(
          ...([path, requestSerialize, responseDeserialize, request] as const),
          (error: Error | null, answer?: unknown) =>
            error ? reject(error) : resolve(answer as Answer),
        );
      }),
    close: () => client.close(),
  };
}
