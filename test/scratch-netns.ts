/** Network namespaces that live as long as one test, with netlink sockets in them. */
import { NetlinkSocket, type NetlinkSocketOptions } from "../src/linux/netlink/socket.ts";
import { createNetns, withNetns } from "../src/linux/netns.ts";
import { close } from "../src/linux/sys.ts";

/** Why a test that needs namespaces is skipped; false if it need not be. */
export const needsNamespaces: string | false = (() => {
  try {
    close(createNetns());
    return false;
  } catch (error) {
    return `needs root: ${error instanceof Error ? error.message : error}`;
  }
})();

export class Scratch {
  readonly #undo: (() => void)[] = [];

  /** A namespace of the test's own, as a descriptor. */
  namespace(): number {
    const fd = createNetns();
    this.later(() => close(fd));
    return fd;
  }

  socket(netns: number, options?: NetlinkSocketOptions): NetlinkSocket {
    const socket = withNetns(netns, () => NetlinkSocket.open(options));
    this.later(() => socket.close());
    return socket;
  }

  later(undo: () => void): void {
    this.#undo.push(undo);
  }

  end(): void {
    for (const undo of this.#undo.reverse()) undo();
  }
}

/** A test's body that gets namespaces and leaves none. */
export const inScratch = (body: (scratch: Scratch) => void) => (): void => {
  const scratch = new Scratch();
  try {
    body(scratch);
  } finally {
    scratch.end();
  }
};

/** The same for a body that waits. A section within a namespace must not: `withNetns`. */
export const inScratchAsync =
  (body: (scratch: Scratch) => Promise<void>) => async (): Promise<void> => {
    const scratch = new Scratch();
    try {
      await body(scratch);
    } finally {
      scratch.end();
    }
  };
