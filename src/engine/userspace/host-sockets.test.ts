import assert from "node:assert/strict";
import { test } from "node:test";
import { inScratch, needsNamespaces } from "../../../test/scratch-netns.ts";
import { frame as bareFrame } from "../../../test/topology.ts";
import { setLink } from "../../linux/netlink/link.ts";
import { withNetns } from "../../linux/netns.ts";
import * as sys from "../../linux/sys.ts";
import { VNET_HEADER } from "../../linux/vnet.ts";
import { Frame } from "../../wire/frame.ts";
import { HostSockets } from "./host-sockets.ts";

const EAFNOSUPPORT = 97;
const LO = 1;
const V4 = "own>own 10.0.0.10>127.0.0.1";
const V6 = "own>own fd00::10>::1";

/** As it lies in a ring: behind room for a vnet header. */
function frame(words: string): Frame {
  const { bytes, start, length } = bareFrame(words);
  const f = new Frame().set(new Uint8Array(VNET_HEADER + length), VNET_HEADER, length);
  f.view().set(bytes.subarray(start, start + length));
  return f;
}

const withSockets = (
  socket: typeof sys.socket | undefined,
  body: (sockets: HostSockets, netns: number) => void,
) =>
  inScratch((scratch) => {
    const netns = scratch.namespace();
    setLink(scratch.socket(netns), LO, { up: true });
    const sockets = withNetns(netns, () => new HostSockets(socket));
    scratch.later(() => sockets.close());
    body(sockets, netns);
  });

test(
  "packets of both families are taken for the host, other frames are not",
  { skip: needsNamespaces },
  withSockets(undefined, (sockets) => {
    const sent = [V4, V6, "own>all arp 10.0.0.10>10.0.0.1"].map((f) => sockets.send(frame(f)));
    assert.deepEqual(sent, [true, true, false]);
  }),
);

test(
  "where the kernel has no IPv6, its packets are refused and IPv4 goes on",
  { skip: needsNamespaces },
  withSockets(
    (domain, type, protocol, doing = "") => {
      if (domain === sys.AF_INET6) throw new sys.SysError(doing, EAFNOSUPPORT);
      return sys.socket(domain, type, protocol, doing);
    },
    (sockets) => {
      assert.deepEqual([sockets.send(frame(V6)), sockets.send(frame(V4))], [false, true]);
    },
  ),
);
