/**
 * Ground for tests with a real podman, which runs on a host of its own (`test/containers.ts`) on the lab's network
 * (`scripts/lab.ts`) and finds our plugin before Debian's.
 *
 *     await onPodman(import.meta.url, {}, () => {
 *       test("...", async () => { await podman(`run --rm ${IMAGE} true`); });
 *     });
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildLan, shell } from "../../scripts/lab.ts";
import type { EngineName } from "../../src/engine/engine.ts";
import { buildHost, CONTAINER_TOOLS, containersRefusal, inHost, LIST_OURS } from "../containers.ts";
import type { Requirements } from "../in-sandbox.ts";

export const IMAGE = "busybox";

const EMPTY = [
  "/etc/cni",
  "/etc/containers",
  "/opt/cni",
  "/usr/local/libexec",
  "/var/lib/cni",
  "/var/lib/containers",
  "/var/lib/ipvlan",
];
const PLUGIN = fileURLToPath(new URL("../../cni/ipvlan", import.meta.url));

/** No ulimits of its own: not every root may raise them. */
const CONFIGURATION = `[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
default_capabilities = ["NET_RAW", "SETUID", "SETGID", "KILL"]
[network]
network_backend = "cni"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`;

/** As `inHost`, with all that podman needs; where it cannot run the tests are skipped, and it is said why. */
export async function onPodman(
  file: string,
  requirements: Requirements,
  define: (engine: EngineName) => void | Promise<void>,
): Promise<void> {
  const needs = [
    "podman",
    "/usr/lib/cni/host-local",
    ...CONTAINER_TOOLS,
    ...(requirements.needs ?? []),
  ];
  await inHost(file, { ...requirements, needs }, async (engine) => {
    const refusal = containersRefusal();
    if (refusal !== undefined) {
      test("with podman", { skip: refusal }, () => {});
      return;
    }
    after(endGround);
    await shell("host", buildHost(EMPTY));
    await buildLan();
    await shell(
      "host",
      `mount -t tmpfs -o mode=1777 tmpfs /dev/shm
       cat > /etc/containers/containers.conf <<'END'\n${CONFIGURATION}END
       echo '{"default": [{"type": "insecureAcceptAnything"}]}' > /etc/containers/policy.json
       mkdir -p /etc/cni/net.d
       install -D -m 755 ${PLUGIN} /usr/local/libexec/cni/ipvlan
       ip route add default via 10.0.0.1; ip -6 route add default via fd00::1
       podman import --change 'ENV PATH=/bin' /run/rootfs.tar docker.io/library/${IMAGE}`,
    );
    await define(engine);
  });
}

async function endGround(): Promise<void> {
  await shell("host", "podman rm -af -t 0; ipvlan daemon stop --remove || true");
}

const HOST_LOCAL = {
  type: "host-local",
  ranges: [
    [{ subnet: "10.0.0.0/24", rangeStart: "10.0.0.10", rangeEnd: "10.0.0.20" }],
    [{ subnet: "fd00::/64", rangeStart: "fd00::10", rangeEnd: "fd00::20" }],
  ],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};

/** Network `ipvl`, as a file where podman looks for it. `keys`: the plugin's, besides its master. */
export function writeNetwork(keys: object): void {
  const plugins = [{ type: "ipvlan", master: "eth0", ipam: HOST_LOCAL, ...keys }];
  const conflist = { cniVersion: "0.4.0", name: "ipvl", plugins };
  writeFileSync("/etc/cni/net.d/ipvl.conflist", JSON.stringify(conflist));
}

/** What a line of `podman` prints. */
export const podman = async (line: string): Promise<string> =>
  (await shell("host", `podman ${line}`)).trim();

/** A container that stays. */
export const runAt = (name: string, words: string): Promise<string> =>
  podman(`run -d --name ${name} ${words} ${IMAGE} sleep 1000`);

/** Whether a container has an answer to a ping. */
export const reaches = (container: string, to: string): Promise<boolean> =>
  podman(`exec ${container} ping -c 1 -W 2 ${to}`).then(
    () => true,
    () => false,
  );

/** Containers and networks; then nothing may be left of ours. */
export async function removeAll(): Promise<void> {
  await shell("host", "podman rm -af -t 0; rm -f /etc/cni/net.d/*");
  const left = await shell(
    "host",
    `${LIST_OURS}
     find /var/lib/cni -type f ! -name lock ! -name 'last_reserved_ip.*'
     rm -rf /var/lib/cni/networks`, // so that the next gets the first address again
  );
  assert.equal(left, "");
}
