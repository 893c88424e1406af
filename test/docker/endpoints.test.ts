/** Many endpoints on one port, asked for at once as dockerd would for a crowd of containers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { shell } from "../../scripts/lab.ts";
import { leftovers, onDocker } from "./ground.ts";
import { ask } from "./plugin.ts";

const COUNT = 200;
const NetworkID = "c".repeat(64);

await onDocker(import.meta.url, {}, () => {
  test(`${COUNT} endpoints at once: each has its slave, and nothing stays of them`, async (t) => {
    const options = { "com.docker.network.generic": { parent: "eth0" } };
    const IPv4Data = [{ Pool: "10.0.0.0/24", Gateway: "10.0.0.1/24" }];
    await ask("CreateNetwork", { NetworkID, Options: options, IPv4Data });
    const ids = Array.from({ length: COUNT }, (_, i) => (0x1000 + i).toString(16).padEnd(64, "0"));
    const began = performance.now();
    const answers = await Promise.all(
      ids.map(async (EndpointID, i) => {
        const Interface = { Address: `10.0.0.${i + 2}/24` };
        await ask("CreateEndpoint", { NetworkID, EndpointID, Interface });
        return ask<{ InterfaceName: { SrcName: string } }>("Join", { NetworkID, EndpointID });
      }),
    );
    t.diagnostic(`${((performance.now() - began) / COUNT).toFixed(1)} ms each to make`);
    const names = new Set(answers.map(({ InterfaceName }) => InterfaceName.SrcName));
    assert.equal(names.size, COUNT);
    const links = (await shell("host", "ls /sys/class/net")).split("\n");
    assert.equal(links.filter((name) => names.has(name)).length, COUNT);
    const removal = performance.now();
    await Promise.all(ids.map((EndpointID) => ask("DeleteEndpoint", { NetworkID, EndpointID })));
    t.diagnostic(`${((performance.now() - removal) / COUNT).toFixed(1)} ms each to remove`);
    await ask("DeleteNetwork", { NetworkID });
    assert.deepEqual(await leftovers(), []);
  });
});
