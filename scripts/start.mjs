/** `npm start`: makes this machine ready and runs the HOWTO's example (`howto.ts`) in a sandbox of its own. */
import {
  build,
  checkNode,
  finishWith,
  installPackages,
  installTools,
  isOnPath,
  SetupError,
} from "./setup.mjs";

await finishWith(async () => {
  checkNode();
  installTools({ ip: "iproute2", nft: "nftables", unshare: "util-linux", setpriv: "util-linux" });
  if (!isOnPath("ip")) throw new SetupError('The program "ip" is missing: install iproute2');
  installPackages();
  build();
  process.setSourceMapsEnabled(true);
  const { main } = await import("../dist/scripts/howto.js");
  return main(process.argv.slice(2));
});
