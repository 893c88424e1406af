/** Part of `npm run build`: the playground as static files in dist/playground, for any web server. */
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

/** From dist/scripts. */
const root = fileURLToPath(new URL("../../", import.meta.url));
const page = join(root, "src/web/page");
const out = join(root, "dist/playground");

const examples = [
  {
    name: "The HOWTO: two namespaces, l2",
    script: readFileSync(join(root, "examples/howto.sh"), "utf8"),
  },
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
