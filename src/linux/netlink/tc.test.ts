import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { needsBpf, returning } from "../../../test/bpf.ts";
import { Stack, sender } from "../../../test/scratch-frames.ts";
import { inScratch, needsNamespaces, type Scratch } from "../../../test/scratch-netns.ts";
import { ETH_P_IP } from "../../wire/ethernet.ts";
import { loadProgram, programInfo } from "../bpf/programs.ts";
import { withNetns } from "../netns.ts";
import { close } from "../sys.ts";
import { addVeth, getLink, setLink } from "./link.ts";
import {
  addClsact,
  attachClsBpf,
  deleteClsact,
  detachClsBpf,
  findClsBpf,
  redirectToIngress,
} from "./tc.ts";

const skip = needsNamespaces;
const noTc = skip || missing("tc");
const LOCAL_EXPERIMENTAL = 0x88b5;

/** a0 = a1 and b0 = b1, all up. */
function twoPairs(scratch: Scratch) {
  const netns = scratch.namespace();
  const socket = scratch.socket(netns);
  const index = (name: string): number => getLink(socket, name)!.index;
  for (const [name, peer] of [
    ["a0", "a1"],
    ["b0", "b1"],
  ] as const) {
    addVeth(socket, { name, up: true, peer: { name: peer } });
    setLink(socket, index(peer), { up: true });
  }
  return { netns, socket, index };
}

test(
  "what arrives at a device arrives at another instead, even a frame of a bare header",
  { skip },
  inScratch((scratch) => {
    const { netns, socket, index } = twoPairs(scratch);
    addClsact(socket, index("a1"));
    redirectToIngress(socket, index("a1"), index("b1"));
    const types = [ETH_P_IP, LOCAL_EXPERIMENTAL];
    const passed = new Stack(scratch, netns, index("a1"), types);
    const target = new Stack(scratch, netns, index("b1"), types);
    const send = sender(scratch, netns, index("a0"));
    const macs = "0200000000020200000000aa";
    const bare = `${macs}88b5`;
    const short = `${macs}080045`;
    const marker = `${macs}0800ffff`;
    send(Buffer.from(bare, "hex"));
    send(Buffer.from(short, "hex"));
    target.settle(send, Buffer.from(marker, "hex"));
    passed.drain();
    assert.deepEqual(target.seen.sort(), [short, marker, bare].sort());
    assert.deepEqual(passed.seen, []);

    deleteClsact(socket, index("a1"));
    passed.settle(send, Buffer.from(marker, "hex"));
    assert.deepEqual(passed.seen, [marker]);
  }),
);

test(
  "tc(8) shows the filter as it is meant",
  { skip: noTc },
  inScratch((scratch) => {
    const { netns, socket, index } = twoPairs(scratch);
    addClsact(socket, index("a1"));
    assert.throws(() => addClsact(socket, index("a1")), { code: "EEXIST" });
    redirectToIngress(socket, index("a1"), index("b1"));
    const shown = withNetns(netns, () =>
      execFileSync("tc", ["filter", "show", "dev", "a1", "ingress"], { encoding: "utf8" }),
    );
    assert.match(shown, /protocol all pref 1 u32/);
    assert.match(shown, /mirred \(Ingress Redirect to device b1\) stolen/);
    assert.doesNotMatch(shown, /match/);
  }),
);

test(
  "a program decides at a device's ingress until it is detached; another takes its place, filters of others stay",
  { skip: skip || needsBpf },
  inScratch((scratch) => {
    const { netns, socket, index } = twoPairs(scratch);
    const [pass, shoot] = [-1, 2].map((verdict) => loadProgram(returning(verdict), {}));
    for (const fd of [pass!, shoot!]) scratch.later(() => close(fd));
    const [a1, b1] = [index("a1"), index("b1")];
    const stack = new Stack(scratch, netns, a1, [LOCAL_EXPERIMENTAL]);
    const elsewhere = new Stack(scratch, netns, b1, [LOCAL_EXPERIMENTAL]);
    const send = sender(scratch, netns, index("a0"));
    const frame = "02000000000202000000000a88b5";
    const arrives = (at: Stack): boolean => {
      at.seen.length = 0;
      send(Buffer.from(frame, "hex"));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      at.drain();
      return at.seen.length > 0;
    };

    assert.equal(findClsBpf(socket, a1, "ingress"), undefined);
    attachClsBpf(socket, a1, "ingress", shoot!, "ipvlan");
    attachClsBpf(socket, a1, "egress", pass!, "ipvlan");
    assert.equal(findClsBpf(socket, a1, "ingress"), programInfo(shoot!).id);
    assert.equal(findClsBpf(socket, a1, "egress"), programInfo(pass!).id);
    assert.equal(arrives(stack), false);
    attachClsBpf(socket, a1, "ingress", pass!, "ipvlan");
    assert.equal(findClsBpf(socket, a1, "ingress"), programInfo(pass!).id);
    assert.equal(arrives(stack), true);

    attachClsBpf(socket, a1, "ingress", shoot!, "ipvlan");
    redirectToIngress(socket, a1, b1);
    assert.equal(arrives(elsewhere), true);
    detachClsBpf(socket, a1, "ingress");
    assert.equal(findClsBpf(socket, a1, "ingress"), undefined);
    assert.equal(arrives(elsewhere), true);
    assert.throws(() => detachClsBpf(socket, a1, "ingress"), { name: "NetlinkError" });
  }),
);

test(
  "a clsact that came with a program goes with the last filter; another's stays, empty or not",
  { skip: skip || needsBpf },
  inScratch((scratch) => {
    const { socket, index } = twoPairs(scratch);
    const [a1, b1] = [index("a1"), index("b1")];
    const program = loadProgram(returning(-1), {});
    scratch.later(() => close(program));
    const attach = () => attachClsBpf(socket, a1, "ingress", program, "ipvlan");

    attach();
    attachClsBpf(socket, a1, "egress", program, "ipvlan");
    attach();
    detachClsBpf(socket, a1, "ingress");
    assert.throws(() => addClsact(socket, a1), { code: "EEXIST" });
    detachClsBpf(socket, a1, "egress");

    addClsact(socket, a1);
    attach();
    detachClsBpf(socket, a1, "ingress");
    deleteClsact(socket, a1);

    attach();
    redirectToIngress(socket, a1, b1);
    detachClsBpf(socket, a1, "ingress");
    deleteClsact(socket, a1);

    assert.throws(() => attachClsBpf(socket, a1, "ingress", socket.fd, "ipvlan"));
    addClsact(socket, a1);
  }),
);

function missing(tool: string): string | false {
  try {
    execFileSync(tool, ["-V"]);
    return false;
  } catch {
    return `needs ${tool}`;
  }
}
