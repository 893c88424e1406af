/** Programs at the ingress of b in a namespace with the pair a = b; what they say decides whether b's stack sees a frame. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { needsBpf, returning } from "../../../test/bpf.ts";
import { inSandbox } from "../../../test/in-sandbox.ts";
import { until } from "../../../test/neighbours.ts";
import { Stack, sender } from "../../../test/scratch-frames.ts";
import { inScratch, needsNamespaces, type Scratch } from "../../../test/scratch-netns.ts";
import { word } from "../../bpf/vm/maps.ts";
import { addVeth, deleteLink, getLink, setLink } from "../netlink/link.ts";
import { withNetns } from "../netns.ts";
import { close, unmount } from "../sys.ts";
import * as links from "./links.ts";
import { BpfMap } from "./maps.ts";
import { loadProgram, programInfo } from "./programs.ts";

const TC_ACT_UNSPEC = -1;
const TC_ACT_SHOT = 2;
const TYPE = 0x88b5;

await inSandbox(import.meta.url, {}, () => {
  const skip = needsBpf || needsNamespaces;

  test(
    "a program decides what passes as long as its link is held; a later one says the opposite at once",
    { skip },
    inScratch((scratch) => {
      const pair = veth(scratch);
      const [pass, shoot] = [pair.load(TC_ACT_UNSPEC), pair.load(TC_ACT_SHOT)];
      const link = pair.attach(shoot);
      assert.equal(pair.passes(), false);
      links.updateLink(link, pass);
      assert.equal(pair.passes(), true);
      links.updateLink(link, shoot);
      assert.equal(pair.passes(), false);
      close(link);
      assert.equal(pair.passes(), true);
    }),
  );

  test(
    "the programs at a hook are told in the order that frames meet them, with those of others",
    { skip },
    inScratch((scratch) => {
      const pair = veth(scratch);
      const here = () => withNetns(pair.netns, () => links.queryTcx(pair.b, "ingress"));
      assert.deepEqual(here(), []);
      const foreign = pair.load(TC_ACT_UNSPEC);
      const foreignLink = pair.attach(foreign);
      const own = pair.load(TC_ACT_SHOT);
      const ownLink = pair.attach(own);
      assert.deepEqual(
        here(),
        [
          [foreign, foreignLink],
          [own, ownLink],
        ].map(([program, link]) => ({
          programId: programInfo(program!).id,
          linkId: links.linkInfo(link!)!.id,
        })),
      );
      assert.equal(pair.passes(), false);
      close(ownLink);
      assert.equal(pair.passes(), true);
      assert.deepEqual(
        here().map(({ programId }) => programId),
        [programInfo(foreign).id],
      );
      assert.deepEqual(
        withNetns(pair.netns, () => links.queryTcx(pair.b, "egress")),
        [],
      );
    }),
  );

  test(
    "a link tells where it hangs; nowhere, once its device is gone",
    { skip },
    inScratch((scratch) => {
      const pair = veth(scratch);
      const program = pair.load(TC_ACT_UNSPEC);
      const link = withNetns(pair.netns, () => links.attachTcx(program, pair.b, "egress"));
      scratch.later(() => close(link));
      const { id, ...where } = links.linkInfo(link)!;
      assert.ok(id > 0);
      assert.deepEqual(where, {
        programId: programInfo(program).id,
        ifindex: pair.b,
        hook: "egress",
      });
      deleteLink(pair.socket, pair.b);
      assert.equal(links.linkInfo(link)!.ifindex, undefined);
      assert.throws(() => links.updateLink(link, program), { code: "ENOLINK" });
    }),
  );

  test(
    "what is pinned outlives its holder, is found again and can be replaced; without the pin it ends",
    { skip },
    inScratch((scratch) => {
      const pins = bpffs(scratch);
      const pair = veth(scratch);
      const link = pair.attach(pair.load(TC_ACT_SHOT));
      const map = BpfMap.create({
        type: "hash",
        name: "m",
        keySize: 4,
        valueSize: 4,
        maxEntries: 9,
      });
      map.update(word(1), word(5));
      links.pin(link, join(pins, "link"));
      links.pin(map.fd, join(pins, "map"));
      close(link);
      map.close();
      assert.equal(pair.passes(), false);

      const again = BpfMap.of(links.openPinned(join(pins, "map"))!);
      const value = Buffer.alloc(4);
      assert.ok(again.lookup(word(1), value));
      assert.equal(value.readUInt32LE(), 5);
      again.close();
      const found = links.openPinned(join(pins, "link"))!;
      assert.equal(links.linkInfo(found)!.ifindex, pair.b);
      links.updateLink(found, pair.load(TC_ACT_UNSPEC));
      assert.equal(pair.passes(), true);
      links.updateLink(found, pair.load(TC_ACT_SHOT));
      close(found);
      assert.equal(pair.passes(), false);
      unlinkSync(join(pins, "link"));
      until(() => pair.passes()); // bpffs lets go of what was pinned only after an RCU grace period
    }),
  );

  test(
    "a pin's place: taken, empty, or in no such file system",
    { skip },
    inScratch((scratch) => {
      const pins = bpffs(scratch);
      const pair = veth(scratch);
      const program = pair.load(TC_ACT_UNSPEC);
      assert.equal(links.openPinned(join(pins, "program")), undefined);
      links.pin(program, join(pins, "program"));
      assert.throws(() => links.pin(program, join(pins, "program")), { code: "EEXIST" });
      assert.throws(() => links.pin(program, "/tmp/program"), { code: "EPERM" });
      assert.throws(() => links.openPinned("/etc/passwd"), { code: "EACCES" });
    }),
  );

  test(
    "a directory is mounted once",
    { skip },
    inScratch((scratch) => {
      const pins = bpffs(scratch);
      const pair = veth(scratch);
      links.pin(pair.load(TC_ACT_UNSPEC), join(pins, "program"));
      links.mountBpffs(pins);
      assert.notEqual(links.openPinned(join(pins, "program")), undefined);
    }),
  );

  test("a device that is not there is named", { skip }, () => {
    const program = loadProgram(returning(TC_ACT_UNSPEC, "pass"), {});
    assert.throws(() => links.attachTcx(program, 4711, "ingress"), {
      name: "SysError",
      message: /^attach a program to the ingress of device 4711: /,
    });
    close(program);
  });
});

/** a = b, both up. */
function veth(scratch: Scratch) {
  const netns = scratch.namespace();
  const socket = scratch.socket(netns);
  addVeth(socket, { name: "a", up: true, peer: { name: "b" } });
  const [a, b] = [getLink(socket, "a")!.index, getLink(socket, "b")!.index];
  setLink(socket, b, { up: true });
  const send = sender(scratch, netns, a);
  const stack = new Stack(scratch, netns, b, [TYPE]);
  return {
    netns,
    socket,
    b,
    load(verdict: number): number {
      const fd = loadProgram(returning(verdict), {});
      scratch.later(() => close(fd));
      return fd;
    },
    attach: (program: number): number =>
      withNetns(netns, () => links.attachTcx(program, b, "ingress")),
    /** Whether b's stack sees a frame that a sends; veth hands it over while it is sent, or shortly after. */
    passes(): boolean {
      const frame = Buffer.alloc(60);
      frame.fill(0xff, 0, 6).writeUInt16BE(TYPE, 12);
      stack.seen.length = 0;
      send(frame);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      stack.drain();
      return stack.seen.length > 0;
    },
  };
}

/** A directory for pins that is gone after the test. */
function bpffs(scratch: Scratch): string {
  const directory = mkdtempSync(join(tmpdir(), "bpffs-"));
  links.mountBpffs(directory);
  scratch.later(() => {
    unmount(directory);
    rmSync(directory, { recursive: true });
  });
  return directory;
}
