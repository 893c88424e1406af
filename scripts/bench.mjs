/** `npm run bench`: makes this machine ready and runs the bench (`bench/main.ts`). */
import { build, checkNode, finishWith, installPackages, installTools } from "./setup.mjs";

await finishWith(async () => {
  checkNode();
  installTools({
    ip: "iproute2",
    nft: "nftables",
    iperf3: "iperf3",
    taskset: "util-linux",
    // What others have; without them the bench goes without.
    vde_switch: "vde2",
    vde_plug2tap: "vde2",
    slirp4netns: "slirp4netns",
  });
  installPackages();
  build();
  const { main } = await import("../dist/bench/main.js");
  return main(process.argv.slice(2));
});
