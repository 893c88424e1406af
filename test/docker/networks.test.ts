/** What networks may be, what is refused and how, and that nothing stays of them. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { shell } from "../../scripts/lab.ts";
import { docker, IMAGE, onDocker, reaches, refusal, removeAll, runAt } from "./ground.ts";

const ON_LAN = "--subnet 10.0.0.0/24 --gateway 10.0.0.1 --ip-range 10.0.0.128/25 -o parent=eth0";
const create = (words: string): Promise<string> => docker(`network create -d ipvl ${words}`);

await onDocker(import.meta.url, {}, () => {
  afterEach(removeAll);

  test("containers reach the LAN, each other, and each other by name", async () => {
    await create(`${ON_LAN} n`);
    await runAt("one", "--network n");
    await runAt("two", "--network n --network-alias second");
    for (const to of ["10.0.0.1", "two", "second"]) assert.ok(await reaches("one", to), to);
  });

  test("a container has the address that was asked for, and its parent's MAC", async () => {
    await create(`${ON_LAN} n`);
    await runAt("one", "--network n --ip 10.0.0.77");
    assert.match(await docker("exec one ip addr show eth0"), /inet 10\.0\.0\.77\/24/);
    assert.match(await docker("exec one ip addr show eth0"), /02:00:00:00:00:02/);
  });

  test("a MAC of its own is refused, and the container does not start", async () => {
    await create(`${ON_LAN} n`);
    assert.match(
      await refusal(`run --rm --network n --mac-address 02:42:11:22:33:44 ${IMAGE} true`),
      /remote: ipvlan interfaces do not support custom mac address assignment/,
    );
  });

  test("of several subnets each has its gateway", async () => {
    const second = "--subnet 10.9.0.0/24 --gateway 10.9.0.254";
    await create(`--subnet 10.0.0.0/24 --gateway 10.0.0.1 ${second} -o parent=eth0 n`);
    await runAt("one", "--network n --ip 10.0.0.10");
    await runAt("two", "--network n --ip 10.9.0.10");
    assert.match(await docker("exec one ip route"), /^default via 10\.0\.0\.1 /);
    assert.match(await docker("exec two ip route"), /^default via 10\.9\.0\.254 /);
  });

  for (const mode of ["l2", "l3", "l3s"])
    test(`internal, ${mode}: containers reach each other, and have no way beyond their subnet`, async () => {
      await create(`--internal ${ON_LAN} -o ipvlan_mode=${mode} n`);
      await runAt("one", "--network n");
      await runAt("two", "--network n --ip 10.0.0.200");
      assert.equal(
        await docker("exec one ip route"),
        "10.0.0.0/24 dev eth0 scope link  src 10.0.0.128",
      );
      assert.ok(await reaches("one", "10.0.0.200"));
      await shell("lan", "ip neigh flush all"); // in l3 it asks for the container in vain, if it has not in l2
      assert.equal(await reaches("one", "10.0.0.1"), mode === "l2");
    });

  test("without a parent containers reach each other, and nobody else", async () => {
    await create("--subnet 10.50.0.0/24 n");
    await runAt("one", "--network n");
    await runAt("two", "--network n --ip 10.50.0.200");
    assert.match(await shell("host", "ip -br link"), /^di-[0-9a-f]{12}/m);
    assert.ok(await reaches("one", "10.50.0.200"));
    assert.ok(!(await reaches("one", "10.0.0.1")));
  });

  test("the MTU is the parent's, or the one that was asked for", async () => {
    await create(`${ON_LAN} -o com.docker.network.driver.mtu=1400 n`);
    await create("--subnet 10.9.0.0/24 -o parent=eth0 m");
    await shell("host", "ip link set eth0 mtu 1450");
    try {
      await runAt("one", "--network n");
      await runAt("two", "--network m");
      assert.match(await docker("exec one ip link show eth0"), /mtu 1400/);
      assert.match(await docker("exec two ip link show eth0"), /mtu 1450/);
    } finally {
      await shell("host", "ip link set eth0 mtu 1500");
    }
  });

  test("parent, mode and flag are understood by libnetwork's long names, too", async () => {
    const long = "-o com.docker.network.driver.";
    await create(
      `--subnet 10.0.0.0/24 ${long}parent=eth0 ${long}ipvlan_mode=l3 ${long}ipvlan_flag=private n`,
    );
    await runAt("one", "--network n --ip 10.0.0.200");
    await runAt("two", "--network n --ip 10.0.0.201");
    assert.match(await docker("exec one ip route"), /^default dev eth0/);
    assert.ok(!(await reaches("one", "10.0.0.201")));
  });

  test("networks of one parent and of the same ways live side by side", async () => {
    await create(`${ON_LAN} n`);
    await create("--subnet 10.9.0.0/24 -o parent=eth0 m");
    await runAt("one", "--network n");
    await runAt("two", "--network m");
    assert.ok(await reaches("one", "10.0.0.1"));
    const id = (await docker("network inspect -f {{.Id}} n")).slice(0, 12);
    assert.match(
      await refusal(
        "network create -d ipvl --subnet 10.8.0.0/24 -o parent=eth0 -o ipvlan_mode=l3 o",
      ),
      new RegExp(`remote: network ${id} is already using parent interface eth0 in mode l2 bridge`),
    );
  });

  test("a parent whose slaves are somebody else's keeps its ways", async () => {
    await shell("host", "ip link add link eth0 name mine type ipvlan mode l3");
    await create(`${ON_LAN} n`);
    assert.match(
      await refusal(`run --rm --network n ${IMAGE} true`),
      /remote: no interface on eth0: eth0 is in mode l3 bridge for 1 slave/,
    );
    await shell("host", "ip link del mine");
    await docker(`run --rm --network n ${IMAGE} true`);
  });

  test("a container is on two networks, and its set finds it by its names", async () => {
    await create(`${ON_LAN} front`);
    await create("--internal --subnet 10.50.0.0/24 back");
    await runAt("db", "--network back --network-alias database");
    await runAt("web", "--network front --network-alias www");
    await docker("network connect back web");
    await runAt("client", "--network front");
    assert.ok(await reaches("web", "database"));
    assert.ok(await reaches("client", "www"));
    assert.ok(!(await reaches("client", "database")));
    assert.match(await docker("exec web ip route"), /^default via 10\.0\.0\.1 dev eth0/);
    await docker("network disconnect back web");
    assert.ok(!(await reaches("web", "database")));
    await docker("restart -t 0 web");
    assert.ok(await reaches("client", "www"));
  });

  describe("refused in words for who typed it", () => {
    for (const [words, said] of [
      [
        "-o parent=eth0 -o ipvlan_mode=l9",
        "requested ipvlan mode 'l9' is not valid, 'l2' mode is the ipvlan driver default",
      ],
      [
        "-o parent=eth0 -o ipvlan_mode=L2",
        "requested ipvlan mode 'L2' is not valid, 'l2' mode is the ipvlan driver default",
      ],
      [
        "-o parent=eth0 -o ipvlan_flag=zzz",
        "requested ipvlan flag 'zzz' is not valid, 'bridge' flag is the ipvlan driver default",
      ],
      ["-o parent=nope0", "invalid subinterface vlan name nope0, example formatting is eth0.10"],
      ["-o parent=lo", "loopback interface is not a valid ipvlan parent link"],
      ["-o parent=eth0.5000", "vlan id must be between 1-4094, received: 5000"],
      ["-o parent=nope0.10", "failed to find master interface nope0 on the Docker host"],
      ["-o parent=eth0 -o mtu=67", "requested mtu '67' is not valid, it is 68 to 65535"],
    ] as const)
      test(words, async () => {
        assert.ok(
          (await refusal(`network create -d ipvl --subnet 10.9.0.0/24 ${words} n`)).endsWith(
            `remote: ${said}`,
          ),
        );
      });
  });

  test("a VLAN is made for the network and goes with it, where the kernel has VLANs", async (t) => {
    const words = "--subnet 10.9.0.0/24 -o parent=eth0.10 n";
    const hasVlans = await shell(
      "host",
      "ip link add link eth0 name t type vlan id 9 && ip link del t",
    ).then(
      () => true,
      () => false,
    );
    if (!hasVlans) {
      t.diagnostic("this kernel has no 802.1Q");
      const said = await refusal(`network create -d ipvl ${words}`);
      assert.match(
        said,
        /failed to create eth0\.10 vlan link: operation not supported: this kernel has no 802\.1Q/,
      );
      return;
    }
    await create(words);
    await runAt("one", "--network n");
    assert.match(await shell("host", "ip -d link show eth0.10"), /vlan protocol 802.1Q id 10/);
  });

  test("what means nothing here is passed over", async () => {
    await create(`${ON_LAN} -o nosuchopt=1 --label a=b n`);
    await docker(`run --rm --network n -p 8080:80 ${IMAGE} true`);
  });
});
