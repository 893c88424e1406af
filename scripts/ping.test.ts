import assert from "node:assert/strict";
import { before, test } from "node:test";
import { inSandbox } from "../test/in-sandbox.ts";
import { ADDRESS, buildLan, FAMILIES, netnsOf } from "./lab.ts";
import { ping } from "./ping.ts";

//     lan 10.0.0.1 fd00::1  ──veth──  eth0 10.0.0.2 fd00::2

await inSandbox(import.meta.url, {}, () => {
  before(buildLan);

  for (const family of FAMILIES) {
    test(`${family}: whoever is there answers, in both directions at once`, async () => {
      const times = await Promise.all([
        ping({ netns: netnsOf("host"), to: ADDRESS.lan[family] }, 3000),
        ping({ netns: netnsOf("lan"), to: ADDRESS.host[family] }, 3000),
      ]);
      for (const time of times) assert.ok(time !== undefined && time > 0 && time < 3000);
    });

    test(`${family}: nobody there: no answer when the time is over`, async () => {
      const time = await ping({ netns: netnsOf("lan"), to: ADDRESS.ns0[family] }, 300);
      assert.equal(time, undefined);
    });

    test(`${family}: another asker's answer is not taken for one's own`, async () => {
      const [time, other] = await Promise.all([
        ping({ netns: netnsOf("host"), to: ADDRESS.ns0[family] }, 300),
        ping({ netns: netnsOf("host"), to: ADDRESS.lan[family] }, 300),
      ]);
      assert.equal(time, undefined);
      assert.notEqual(other, undefined);
    });
  }

  test("what is no address is refused", () => {
    assert.throws(() => ping({ netns: "lan", to: "10.0.0" }, 100), /no address/);
  });
});
