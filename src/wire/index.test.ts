import assert from "node:assert/strict";
import { test } from "node:test";
import * as wire from "./index.ts";

test("the entry point alone is enough to build a packet, read it and print it", () => {
  const { ethernet, Frame, ipv4, udp } = wire;
  const f = Frame.of(new Uint8Array(42));
  ethernet.setType(f, ethernet.ETH_P_IP);
  const [src, dst] = ["10.0.0.10", "10.0.0.11"].map((text) =>
    wire.ip4ToNumber(wire.parseIp(text)!),
  );
  ipv4.write(f, 14, { totalLength: 28, ttl: 64, protocol: udp.PROTOCOL, src: src!, dst: dst! });
  udp.write(f, 34, { srcPort: 5555, dstPort: 7777, length: 8 });
  udp.fillChecksum4(f, 14);
  assert.equal(wire.pseudoHeader.transportChecksum4(f, 14), 0);
  assert.equal(wire.dump(f), "10.0.0.10 > 10.0.0.11 udp 5555 > 7777");
});
