/** A slave as a daemon tells of it, for tests of what the command makes of that. */
import type { LinkInfo } from "../src/daemon/control.ts";

export const linkInfo = (settings: Partial<LinkInfo> = {}): LinkInfo => ({
  name: "i0",
  ifindex: 4,
  here: true,
  master: "eth0",
  masterIfindex: 3,
  masterHere: true,
  masterUp: true,
  room: 8192,
  mode: "l2",
  flag: "bridge",
  deviceId: 1,
  mac: "02:00:00:00:00:02",
  mtu: 1500,
  up: true,
  addresses: [],
  statistics: {},
  ...settings,
});
