/** Frames put on a device and heard on a device, whatever they are: packet sockets for tests. */
import { closeSync } from "node:fs";
import { withNetns } from "../src/linux/netns.ts";
import {
  ETH_P_ALL,
  openPacketSocket,
  packetAddress,
  receiveAllGroups,
} from "../src/linux/packet.ts";
import * as sys from "../src/linux/sys.ts";

export class Tap {
  readonly #fd: number;
  readonly #buffer: Buffer = Buffer.alloc(1 << 16);

  /**
   * `netns` as `withNetns` takes it. `joins`: the device is told to receive all groups, which slaves' devices tell on;
   * otherwise it hears of groups what arrives anyway. `hears`: it does not only send.
   */
  constructor(
    netns: string,
    device: string,
    { joins = true, hears = true }: { joins?: boolean; hears?: boolean } = {},
  ) {
    this.#fd = withNetns(netns, () => {
      const index = sys.ifIndex(device);
      const fd = openPacketSocket({ vnet: false });
      if (joins && hears) receiveAllGroups(fd, index);
      sys.bind(fd, packetAddress(index, hears ? ETH_P_ALL : 0), `open ${device}`);
      return fd;
    });
  }

  send(frame: Uint8Array): void {
    sys.send(this.#fd, frame);
  }

  /** What went by since the last call, in either direction. */
  heard(): Buffer[] {
    const frames: Buffer[] = [];
    for (;;) {
      const length = Number(sys.receive(this.#fd, this.#buffer));
      if (length < 0) return frames;
      frames.push(Buffer.from(this.#buffer.subarray(0, length)));
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
