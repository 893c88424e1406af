/** Whether this kernel has the devices that slaves are made of, found by making one where nobody sees it. */
import { addVeth } from "../linux/netlink/link.ts";
import { NetlinkSocket } from "../linux/netlink/socket.ts";
import { createNetns, withNetns } from "../linux/netns.ts";
import { close } from "../linux/sys.ts";

export function tryDevices(): void {
  const netns = createNetns();
  try {
    withNetns(netns, () => {
      const socket = NetlinkSocket.open();
      addVeth(socket, { name: "probe0", peer: { name: "probe1" } });
      socket.close();
    });
  } finally {
    close(netns); // the devices go with it
  }
}
