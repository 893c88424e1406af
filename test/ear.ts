/** How much of one protocol is heard, where the frames themselves do not matter: packet sockets for tests. */
import { withNetns } from "../src/linux/netns.ts";
import { openPacketSocket, packetAddress } from "../src/linux/packet.ts";
import * as sys from "../src/linux/sys.ts";

/** Counts what devices of a namespace receive of one protocol; of all of them, or of one. */
export class Ear {
  readonly #fd: number;

  constructor(netns: string, protocol: number, device?: string) {
    this.#fd = withNetns(netns, () => {
      const fd = openPacketSocket({ vnet: false });
      const index = device === undefined ? 0 : sys.ifIndex(device);
      sys.bind(fd, packetAddress(index, protocol), "listen to a protocol");
      return fd;
    });
  }

  /** Since the last call. */
  count(): number {
    const buffer = Buffer.alloc(256);
    let count = 0;
    while (sys.receive(this.#fd, buffer) >= 0) count++;
    return count;
  }
  close(): void {
    sys.close(this.#fd);
  }
}
