import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Vm } from "ipvlan/bpf";
import { Frame, parseIp } from "ipvlan/wire";
import { loadProgram, testRun } from "../../src/linux/bpf/programs.ts";
import { close } from "../../src/linux/sys.ts";
import { needsBpf } from "../../test/bpf.ts";
import { build } from "./build.ts";
import { DROP, firewall, PASS } from "./firewall.ts";

/** The source, which stands in the repository also when this runs compiled. */
const source = fileURLToPath(new URL("../../../examples/firewall/firewall.ts", import.meta.url));
const program = build(source);
const compiled = new Vm(program);

/** An Ethernet frame of this type around these bytes. */
const frame = (type: number, ...packet: number[]): Uint8Array =>
  Uint8Array.of(
    ...new Array(12).fill(2),
    type >> 8,
    type & 255,
    ...packet,
    ...new Array(40).fill(0),
  );

interface Ip {
  protocol: number;
  dstPort?: number;
  /** Words of four bytes. */
  options?: number;
  fragment?: number;
}
function ip({ protocol, dstPort = 0, options = 0, fragment = 0 }: Ip): Uint8Array {
  const header = [
    0x45 + options,
    0,
    0,
    60,
    0,
    0,
    fragment >> 8,
    fragment & 255,
    64,
    protocol,
    0,
    0,
  ];
  const ends = [...parseIp("10.0.0.1")!, ...parseIp("10.0.0.2")!];
  const ports = [0x30, 0x39, dstPort >> 8, dstPort & 255];
  return frame(0x0800, ...header, ...ends, ...new Array(options * 4).fill(1), ...ports);
}

function says(what: string, bytes: Uint8Array, verdict: number): void {
  test(what, () => {
    assert.equal(firewall(Frame.of(bytes)), verdict, "in JavaScript");
    assert.equal(compiled.run(bytes), verdict, "compiled");
  });
  test(`${what}, in the kernel`, { skip: needsBpf }, (t) => {
    const fd = loadProgram(program, {});
    const run = testRun(fd, bytes);
    close(fd);
    if (run === undefined) t.skip("the kernel does not run a frame that is as short");
    else assert.equal(run.result, verdict);
  });
}

const [ICMP, TCP, UDP] = [1, 6, 17] as const;
says("ARP passes", frame(0x0806), PASS);
says("IPv6 does not", frame(0x86dd), DROP);
says("ICMP passes", ip({ protocol: ICMP }), PASS);
says("TCP to port 22 passes", ip({ protocol: TCP, dstPort: 22 }), PASS);
says(
  "TCP to port 80 passes, behind IP options too",
  ip({ protocol: TCP, dstPort: 80, options: 3 }),
  PASS,
);
says("TCP to port 443 does not", ip({ protocol: TCP, dstPort: 443 }), DROP);
says("UDP to port 22 does not", ip({ protocol: UDP, dstPort: 22 }), DROP);
says("a later fragment has no ports", ip({ protocol: TCP, dstPort: 22, fragment: 5 }), DROP);
says("a truncated header has no port", ip({ protocol: TCP, dstPort: 22 }).subarray(0, 37), DROP);
says("nothing at all does not", new Uint8Array(0), DROP);
