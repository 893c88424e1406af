/**
 * Ground for tests with a real containerd, which runs on a host of its own (`test/containers.ts`) on the lab's network
 * (`scripts/lab.ts`) and finds our plugin where runtimes look.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { buildLan, shell } from "../../scripts/lab.ts";
import type { EngineName } from "../../src/engine/engine.ts";
import {
  buildHost,
  CONTAINER_TOOLS,
  containersRefusal,
  inHost,
  LIST_OURS,
  Service,
} from "../containers.ts";
import { ROOT } from "../documents.ts";
import type { Requirements } from "../in-sandbox.ts";
import { layOutImage } from "./image.ts";

export const IMAGE = "docker.io/library/busybox:latest";
export const SOCKET = "/run/containerd/containerd.sock";

const EMPTY = [
  "/etc/cni",
  "/etc/containerd",
  "/opt/cni",
  "/usr/local/libexec",
  "/var/lib/cni",
  "/var/lib/containerd",
  "/var/lib/ipvlan",
];

const CONFIGURATION = `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
`;

export const containerd: Service = new Service(["containerd"], "ctr version");

/** As `inHost`, with containerd running; where it cannot the tests are skipped, and it is said why. */
export async function onContainerd(
  file: string,
  requirements: Requirements,
  define: (engine: EngineName) => void | Promise<void>,
): Promise<void> {
  const tools = ["containerd", "ctr", "/usr/lib/cni/host-local", "/usr/lib/cni/loopback"];
  const needs = [...tools, ...CONTAINER_TOOLS, ...(requirements.needs ?? [])];
  await inHost(file, { ...requirements, needs }, async (engine) => {
    const refusal = containersRefusal();
    if (refusal !== undefined) {
      test("with containerd", { skip: refusal }, () => {});
      return;
    }
    after(endGround);
    await shell("host", buildHost(EMPTY));
    await buildLan();
    writeFileSync("/etc/containerd/config.toml", CONFIGURATION);
    mkdirSync("/run/image");
    layOutImage("/run/image", "/run/rootfs.tar", IMAGE, ["sleep", "1000"]);
    await containerd.start();
    await shell(
      "host",
      `ip route add default via 10.0.0.1
       mkdir -p /etc/cni/net.d /opt/cni/bin
       ln -s /usr/lib/cni/host-local /usr/lib/cni/loopback /opt/cni/bin
       ipvlan install cni
       cp ${path.join(ROOT, "examples/cni/lan.conflist")} /etc/cni/net.d/
       tar -C /run/image -cf /run/image.tar .
       for namespace in default k8s.io; do ctr -n $namespace images import /run/image.tar; done`,
    );
    await define(engine);
  });
}

async function endGround(): Promise<void> {
  await containerd.end();
  await shell("host", "ipvlan daemon stop --remove || true");
}

/** Of ours, and no leases. */
export async function assertNothingLeft(): Promise<void> {
  const left = await shell(
    "host",
    `${LIST_OURS}
     find /var/lib/cni/networks -type f ! -name lock ! -name 'last_reserved_ip.*'`,
  );
  assert.equal(left, "");
}
