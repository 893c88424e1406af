/** Pods as a kubelet makes them, by CRI over gRPC, on a network of ours. */
import assert from "node:assert/strict";
import { once } from "node:events";
import path from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { shell, spawnAt } from "../../scripts/lab.ts";
import { ROOT } from "../documents.ts";
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
      const ping = spawnAt("lan", ["ping", "-i", "0.02", "-c", "150", pod.ip]);
      let said = "";
      ping.stdout.on("data", (piece) => {
        said += piece;
      });
      await sleep(300);
      await containerd.end(signal);
      await containerd.start();
      await once(ping, "close");
      assert.match(said, /150 packets transmitted, 150 received/);
      await pod.remove();
      await assertNothingLeft();
    });

  test("a pod that cannot have an address leaves nothing", async () => {
    const full = '"rangeStart": "10.0.0.50", "rangeEnd": "10.0.0.50"';
    await shell(
      "host",
      `sed -i 's/"rangeStart": "10.0.0.50"/${full}/' /etc/cni/net.d/lan.conflist`,
    );
    await sleep(500); // containerd watches the folder
    const pod = await runPod(runtime, "first");
    await assert.rejects(runPod(runtime, "second"), /no IP addresses available in range set/);
    await pod.remove();
    await assertNothingLeft();
  });
});

interface Pod {
  readonly ip: string;
  ping(to: string): Promise<string>;
  remove(): Promise<void>;
}

async function runPod(runtime: Runtime, name: string): Promise<Pod> {
  const metadata = { name, uid: `uid-${name}`, namespace: "default" };
  const config = { metadata, log_directory: "/run/logs", linux: {} };
  const pod = await runtime.ask<{ pod_sandbox_id: string }>("RunPodSandbox", { config });
  const { status } = await runtime.ask<{ status: { network: { ip: string } } }>(
    "PodSandboxStatus",
    pod,
  );
  const container = await runtime.ask<{ container_id: string }>("CreateContainer", {
    ...pod,
    config: { metadata: { name: "c" }, image: { image: IMAGE }, command: ["sleep", "1000"] },
    sandbox_config: config,
  });
  await runtime.ask("StartContainer", container);
  return {
    ip: status.network.ip,
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
