/** What happens to podman's containers while they live: addresses by every IPAM plugin, kills of our daemon, its REST API. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { afterEach, test } from "node:test";
import { shell, spawnAt } from "../../scripts/lab.ts";
import { Service } from "../containers.ts";
import { daemonPid } from "../daemon.ts";
import { LongPing } from "../long-ping.ts";
import { onPodman, podman, reaches, removeAll, runAt, writeNetwork } from "./ground.ts";

const SOCKET = "/run/podman.sock";

await onPodman(import.meta.url, { needs: ["dnsmasq"] }, () => {
  afterEach(removeAll);

  test("an address that was asked for, and the same again after a restart", async () => {
    writeNetwork({ mode: "l2" });
    await runAt("a", "--network ipvl --ip 10.0.0.17");
    assert.match(await podman("exec a ip addr show dev eth0"), /inet 10\.0\.0\.17\/24/);
    await podman("restart -t 0 a");
    assert.match(await podman("exec a ip addr show dev eth0"), /inet 10\.0\.0\.17\/24/);
    assert.ok(await reaches("a", "10.0.0.1"));
  });

  test("the daemon is killed under a ping: no answer is missing, and the next container comes and goes", async () => {
    writeNetwork({ mode: "l2" });
    await runAt("a", "--network ipvl");
    const { State } = JSON.parse(await podman("inspect a"))[0] as { State: { Pid: number } };
    const ping = new LongPing("host", "10.0.0.1", ["nsenter", `--net=/proc/${State.Pid}/ns/net`]);
    await ping.hear();
    process.kill(daemonPid(), "SIGKILL");
    await ping.hear();
    await runAt("b", "--network ipvl"); // by a new daemon
    await ping.hear();
    assert.deepEqual(await ping.end(), []);
    assert.ok(await reaches("b", "10.0.0.10"));
  });

  test("static addresses", async () => {
    const addresses = [
      { address: "10.0.0.10/24", gateway: "10.0.0.1" },
      { address: "fd00::10/64" },
    ];
    const routes = [{ dst: "0.0.0.0/0" }];
    writeNetwork({ ipam: { type: "static", addresses, routes } });
    await runAt("a", "--network ipvl");
    assert.match(await podman("exec a ip route"), /^default via 10\.0\.0\.1 dev eth0/m);
    assert.ok((await reaches("a", "10.0.0.1")) && (await reaches("a", "fd00::1")));
  });

  test("leases by DHCP, though all containers have one MAC address", async (t) => {
    const server = spawnAt("lan", [
      ...["dnsmasq", "--no-daemon", "--port=0", "--no-ping", "--interface=w0", "--bind-interfaces"],
      ...["--dhcp-range=10.0.0.100,10.0.0.110", "--dhcp-leasefile=/run/leases", "--user=root"],
    ]);
    t.after(() => server.kill());
    const client = new Service(
      ["/usr/lib/cni/dhcp", "daemon", "-broadcast"],
      "test -S /run/cni/dhcp.sock",
    );
    await client.start();
    t.after(() => client.end());
    writeNetwork({ mode: "l2", ipam: { type: "dhcp" } });
    await runAt("a", "--network ipvl");
    await runAt("b", "--network ipvl");
    const [a, b] = [await podman("exec a ip addr"), await podman("exec b ip addr")].map(
      (said) => /inet (10\.0\.0\.1\d\d)/.exec(said)?.[1],
    );
    assert.ok(a !== undefined && b !== undefined && a !== b, `${a} ${b}`);
    assert.ok(await reaches("a", b));
    await podman("rm -af -t 0"); // while there is somebody to give the leases back to
  });

  test("its command for networks does not know a parent, so nothing is made", async (t) => {
    if (!/version 4\.[0-3]\./.test(await podman("--version")))
      return t.skip("needs a podman before 4.4");
    await assert.rejects(podman("network create -d ipvlan -o parent=eth0 net"), {
      stderr: /unsupported network option parent/,
    });
    assert.deepEqual(await networks(), ["podman"]);
  });

  test("its REST API: a network of podman's making, containers on it, and both removed", async (t) => {
    const service = new Service(
      ["podman", "system", "service", "--time=0", `unix://${SOCKET}`],
      `test -S ${SOCKET}`,
    );
    await service.start();
    t.after(() => service.end());
    await ask("POST", "networks/create", {
      ...{ name: "net", driver: "ipvlan", network_interface: "eth0", options: { mode: "l3" } },
      subnets: [{ subnet: "10.0.7.0/24" }],
    });
    const conflist = readFileSync("/etc/cni/net.d/net.conflist", "utf8");
    const { type, master, mode } = JSON.parse(conflist).plugins[0];
    assert.deepEqual({ type, master, mode }, { type: "ipvlan", master: "eth0", mode: "l3" });
    await shell("lan", "ip route add 10.0.7.0/24 via 10.0.0.2");
    t.after(() => shell("lan", "ip route del 10.0.7.0/24"));
    for (const name of ["a", "b"]) {
      await ask("POST", "containers/create", {
        r_limits: ["nofile", "nproc"].map((type) => ({ type, soft: 1024, hard: 1024 })),
        ...{ name, image: "busybox", command: ["sleep", "1000"], netns: { nsmode: "bridge" } },
        networks: { net: {} },
      });
      await ask("POST", `containers/${name}/start`);
    }
    const { NetworkSettings } = (await ask("GET", "containers/b/json")) as {
      NetworkSettings: { Networks: { net: { IPAddress: string } } };
    };
    assert.ok(await reaches("a", NetworkSettings.Networks.net.IPAddress), "a to b");
    assert.ok(await reaches("a", "10.0.0.1"), "LAN");
    for (const name of ["a", "b"]) await ask("DELETE", `containers/${name}?force=true&timeout=0`);
    await ask("DELETE", "networks/net");
    assert.deepEqual(await networks(), ["podman"]);
  });
});

const networks = async (): Promise<string[]> => (await podman("network ls -q")).split("\n");

function ask(method: string, path: string, body?: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request({
      ...{ socketPath: SOCKET, method, path: `/v4.0.0/libpod/${path}` },
      headers: { "content-type": "application/json" },
    });
    asked.on("error", reject).on("response", async (response) => {
      let text = "";
      for await (const piece of response.setEncoding("utf8")) text += piece;
      if (response.statusCode! < 300) resolve(text === "" ? undefined : JSON.parse(text));
      else reject(new Error(`${method} ${path}: ${text}`));
    });
    asked.end(body && JSON.stringify(body));
  });
}
