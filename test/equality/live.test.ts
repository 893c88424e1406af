/**
 * The same on a device: frames that arrive over a veth meet the compiled program, which writes its decision into a map.
 * So also those that no test run takes: too short for their IP header, in several pieces, with the tag beside them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Assembler } from "../../src/bpf/assembler.ts";
import type { Program } from "../../src/bpf/program.ts";
import { word } from "../../src/bpf/vm/maps.ts";
import { attachTcx, updateLink } from "../../src/linux/bpf/links.ts";
import { BpfMap } from "../../src/linux/bpf/maps.ts";
import { loadProgram } from "../../src/linux/bpf/programs.ts";
import { addVeth, getLink, setLink } from "../../src/linux/netlink/link.ts";
import { NetlinkSocket } from "../../src/linux/netlink/socket.ts";
import { openPacketSocket, packetAddress } from "../../src/linux/packet.ts";
import * as sys from "../../src/linux/sys.ts";
import { setSysctl } from "../../src/linux/sysctl.ts";
import { VNET_HEADER } from "../../src/linux/vnet.ts";
import * as eth from "../../src/wire/ethernet.ts";
import { Frame } from "../../src/wire/frame.ts";
import { needsBpf } from "../bpf.ts";
import { compileEntry, entries } from "../driver-program.ts";
import { inSandbox } from "../in-sandbox.ts";
import { Random } from "../random.ts";
import { columns, inTypeScript, KernelMaps } from "./decisions.ts";
import { frameMaker, holders, newPort, recorded } from "./ground.ts";

/** Of one entry in one column. */
const MADE = 2000;
const IN_PIECES = 100;
/** Decisions that the map holds; a power of two. */
const DECISIONS = 4096;
/** Of the map's value: how many decisions there were, then each. */
const FIRST = 4;
const TC_ACT_SHOT = 2;
/** Bytes of a frame that is more than one piece. */
const LONG = 5000;
const MTU = 9000;

await inSandbox(import.meta.url, {}, () => {
  test("frames on a device are decided alike by TypeScript and kernel", {
    skip: needsBpf,
  }, async (t) => {
    const cable = makeCable();
    const decisions = new Decisions();
    const port = newPort();
    const maps = new KernelMaps(port, holders);
    const fds = { ...maps.fds, decisions: decisions.map.fd };
    const programs = entries.map((entry) => loadProgram(compileEntry(entry, noteDecision), fds));
    const firstPiece = loadProgram(noteFirstPiece(), { decisions: decisions.map.fd });
    const link = attachTcx(firstPiece, cable.to, "ingress");
    cable.sendInPieces(lengthened(recorded[0]!));
    assert.ok((await decisions.read(1))[0]! < LONG, "a long frame came in one piece");
    const maker = frameMaker(new Random(Date.now()));
    const seen = { frames: 0, short: 0, tagged: 0, inPieces: 0 };
    for (const column of columns) {
      maps.set(column);
      port.set(column);
      for (const [i, entry] of entries.entries()) {
        updateLink(link, programs[i]!);
        const frames = [...recorded, ...Array.from({ length: MADE }, () => maker.next())].filter(
          isCarried,
        );
        const long = frames.slice(-IN_PIECES).map(lengthened);
        decisions.clear();
        for (const frame of frames) cable.send(frame);
        for (const frame of long) cable.sendInPieces(frame);
        const all = [...frames, ...long];
        const got = await decisions.read(all.length);
        assert.equal(got.length, all.length, "a frame was lost");
        for (const [n, bytes] of all.entries())
          assert.equal(
            got[n],
            inTypeScript[entry](port, Frame.of(bytes)) >>> 0,
            `${entry}, settings 0x${column.toString(16)}: ${Buffer.from(bytes).toString("hex")}`,
          );
        seen.frames += all.length;
        seen.short += frames.filter(({ length }) => length < 34).length;
        seen.tagged += all.filter(isTagged).length;
        seen.inPieces += long.length;
      }
    }
    t.diagnostic(
      `${seen.frames} frames, of them ${seen.short} shorter than an IP header, ${seen.tagged} tagged, ${seen.inPieces} in pieces`,
    );
    for (const fd of [link, firstPiece, ...programs]) sys.close(fd);
    decisions.map.close();
    maps.close();
    cable.close();
  });
});

const isTagged = (bytes: Uint8Array): boolean => eth.isTag(eth.type(Frame.of(bytes)));
/** A device sends no frame without a header, and the kernel drops one whose tag it cannot take off. */
const isCarried = (bytes: Uint8Array): boolean =>
  bytes.length >= eth.HEADER + (isTagged(bytes) ? eth.TAG + 2 : 0);

function lengthened(bytes: Uint8Array): Uint8Array {
  const long = new Uint8Array(LONG);
  long.set(bytes);
  return long;
}

/** Puts the decision, in r0, behind those before it, and drops the frame. */
function noteDecision(a: Assembler): void {
  a.copy(7, 0).loadMapValue(1, "decisions", 0).load(4, 2, 1, 0);
  a.copy(3, 2)
    .alu("and", 3, DECISIONS - 1)
    .alu("lsh", 3, 2)
    .aluRegister("add", 3, 1);
  a.store(4, 3, FIRST, 7).alu("add", 2, 1).store(4, 1, 0, 2).move(0, TC_ACT_SHOT).exit();
}

/** Notes the length of a frame's first piece. */
function noteFirstPiece(): Program {
  const a = new Assembler().copy(6, 1).load(4, 0, 6, 80).load(4, 1, 6, 76);
  noteDecision(a.aluRegister("sub", 0, 1));
  return a.finish("first_piece");
}

class Decisions {
  readonly map: BpfMap = BpfMap.create({
    type: "array",
    name: "decisions",
    keySize: 4,
    valueSize: FIRST + 4 * DECISIONS,
    maxEntries: 1,
  });
  readonly #value: Buffer = Buffer.alloc(FIRST + 4 * DECISIONS);

  clear(): void {
    this.map.update(word(0), this.#value.fill(0));
  }
  /** Once there are so many, or after a while as many as there are. */
  async read(count: number): Promise<number[]> {
    for (let tries = 0; tries < 200; tries++) {
      this.map.lookup(word(0), this.#value);
      if (this.#value.readUInt32LE() >= count) break;
      await sleep(5);
    }
    const length = this.#value.readUInt32LE();
    return Array.from({ length }, (_, n) => this.#value.readUInt32LE(FIRST + 4 * n));
  }
}

/** a = b, over which nobody says anything by itself. */
function makeCable() {
  setSysctl("ipv6/conf/default/disable_ipv6", 1);
  const socket = NetlinkSocket.open();
  addVeth(socket, { name: "a", mtu: MTU, up: true, peer: { name: "b", mtu: MTU } });
  const [from, to] = ["a", "b"].map((name) => getLink(socket, name)!.index) as [number, number];
  setLink(socket, to, { up: true });
  socket.close();
  const [whole, inPieces] = [false, true].map((vnet) => openPacketSocket({ vnet })) as [
    number,
    number,
  ];
  for (const fd of [whole, inPieces]) sys.bind(fd, packetAddress(from, 0));
  const header = Buffer.alloc(VNET_HEADER);
  header.writeUInt16LE(eth.HEADER, 2); // hdr_len: what is to lie in the first piece
  const send = (fd: number, bytes: Uint8Array): void => {
    if (sys.send(fd, bytes) < 0) throw new sys.SysError("send", sys.errno());
  };
  return {
    to,
    send: (bytes: Uint8Array): void => send(whole, bytes),
    sendInPieces: (bytes: Uint8Array): void => send(inPieces, Buffer.concat([header, bytes])),
    close(): void {
      for (const fd of [whole, inPieces]) sys.close(fd);
    },
  };
}
