/** `npm start`: makes this machine ready and runs the HOWTO's example (`howto.ts`) in a sandbox, or simulated. */
import { build, checkNode, finishWith, installPackages, installTools } from "./setup.mjs";

await finishWith(async () => {
  checkNode();
  installTools({ ip: "iproute2", nft: "nftables", unshare: "util-linux", setpriv: "util-linux" });
  installPackages();
  build();
  process.setSourceMapsEnabled(true);
  const { main } = await import("../dist/scripts/howto.js");
  return main(process.argv.slice(2));
});
