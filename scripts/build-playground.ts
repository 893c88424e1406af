/** Part of `npm run build`: the playground as static files in dist/playground, for any web server. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { readScenario } from "../src/sim/scenario/scenario.ts";

/** From dist/scripts. */
const root = fileURLToPath(new URL("../../", import.meta.url));
const page = join(root, "src/web/page");
const out = join(root, "dist/playground");

const howto = readFileSync(join(root, "examples/howto.sh"), "utf8");
const examples = [
  {
    title: "Begin here: two namespaces share eth0",
    story:
      "The kernel’s HOWTO, line by line. ns0 and ns1 get a slave of eth0 each, with an address of its own; then ns0 pings ns1, and ns1 the router.",
    text: howto,
  },
  ...readdirSync(join(root, "scenarios"))
    .sort()
    .map((file) => {
      const text = readFileSync(join(root, "scenarios", file), "utf8");
      const { title, story } = readScenario(text);
      return { title, story, text };
    }),
];

const bundle = await rolldown({
  cwd: root,
  platform: "browser",
  logLevel: "warn",
  input: join(page, "main.ts"),
  transform: { define: { EXAMPLES: JSON.stringify(examples) } },
});
mkdirSync(out, { recursive: true });
// A classic script: modules are not loaded from files.
await bundle.write({ file: join(out, "playground.js"), format: "iife", minify: true });
await bundle.close();
for (const name of ["index.html", "style.css", "icon.svg"])
  copyFileSync(join(page, name), join(out, name));
