/**
 * Part of `npm run build`: bundles the CNI plugin to one file that runs wherever it is copied to, `dist/cni/ipvlan`.
 * What cannot be in it as code (src/cni/payload.ts) is packed into its last line.
 */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { type RolldownOptions, rolldown } from "rolldown";

/** From dist/scripts. */
const root = fileURLToPath(new URL("../../", import.meta.url));
const HASH_LENGTH = 32;

/** Code of the payload, by its name there. */
const entries = {
  inside: "dist/src/cni/inside.js",
  probe: "dist/src/cni/probe.js",
  serve: "dist/src/cni/serve.js",
  worker: "dist/src/engine/userspace/worker.js",
};

const common: RolldownOptions = { cwd: root, platform: "node", logLevel: "warn" };

const files = await bundlePayload();
files["package.json"] = Buffer.from('{"type":"module"}\n');
files["programs.json"] = readFileSync(join(root, "dist/src/engine/ebpf/programs.json"));
for (const name of ["package.json", "index.js"])
  files[`node_modules/koffi/${name}`] = readFileSync(join(root, "node_modules/koffi", name));
addFolder("node_modules/koffi/src/koffi", ".js");
addFolder("node_modules/@koromix", "");
const packed = pack(files);
const hash = createHash("sha256").update(packed).digest("hex").slice(0, HASH_LENGTH);
const plugin = await bundlePlugin(hash);
mkdirSync(join(root, "dist/cni"), { recursive: true });
const path = join(root, "dist/cni/ipvlan");
writeFileSync(path, `${plugin.trimEnd()}\n//payload:${packed.toString("base64")}\n`);
chmodSync(path, 0o755);
writeFileSync(join(root, "dist/cni/package.json"), '{"type":"commonjs"}\n');

async function bundlePayload(): Promise<Record<string, Buffer>> {
  const bundle = await rolldown({ ...common, input: entries, external: ["koffi"] });
  const { output } = await bundle.generate({
    format: "esm",
    minify: true,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
  });
  await bundle.close();
  return Object.fromEntries(
    output.map((one) => [one.fileName, Buffer.from(one.type === "chunk" ? one.code : one.source)]),
  );
}

async function bundlePlugin(payloadHash: string): Promise<string> {
  const bundle = await rolldown({
    ...common,
    input: "dist/src/cni/main.js",
    transform: { define: { PAYLOAD_HASH: JSON.stringify(payloadHash) } },
  });
  const { output } = await bundle.generate({
    format: "cjs",
    minify: true,
    codeSplitting: false,
    banner: "#!/usr/bin/env node",
  });
  await bundle.close();
  const [only, ...others] = output;
  if (only === undefined || others.length > 0) throw new Error("the plugin is not one file");
  return only.code;
}

/** The files whose names end like that. */
function addFolder(folder: string, end: string): void {
  for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
    const path = join(root, folder, name);
    if (statSync(path).isFile() && name.endsWith(end))
      files[`${folder}/${name}`] = readFileSync(path);
  }
}

function pack(all: Readonly<Record<string, Buffer>>): Buffer {
  const texts = Object.entries(all).map(([name, content]) => [name, content.toString("base64")]);
  return brotliCompressSync(JSON.stringify(Object.fromEntries(texts)), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 9 }, // the best takes ten times as long
  });
}
