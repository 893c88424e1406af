/**
 * What is in `deploy/` is what Kubernetes and Multus take, and what the DaemonSet runs on a node leaves a plugin there
 * that works: its script is run here, with folders of ours in place of the image's and the node's.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { parseNamed, readConfig } from "../src/cni/config.ts";

const BUILD = fileURLToPath(new URL("..", import.meta.url));
const ROOT = path.dirname(path.resolve(BUILD));
const read = (file: string): string => readFileSync(path.join(ROOT, file), "utf8");

interface Container {
  readonly image: string;
  readonly command?: readonly string[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface DaemonSet {
  readonly spec: {
    readonly selector: { readonly matchLabels: Record<string, string> };
    readonly template: {
      readonly metadata: { readonly labels: Record<string, string> };
      readonly spec: {
        readonly initContainers: readonly [Container];
        readonly volumes: readonly {
          readonly name: string;
          readonly hostPath?: { readonly path: string };
        }[];
      };
    };
  };
}

function getValid<Manifest>(name: string): Manifest {
  const manifest = parse(read(`deploy/kubernetes/${name}.yaml`)) as Manifest;
  const ajv = new Ajv({ strict: false, allErrors: true });
  const validate = ajv.compile(JSON.parse(read(`test/deploy/${name}.schema.json`)) as object);
  assert.ok(validate(manifest), ajv.errorsText(validate.errors));
  return manifest;
}

test("Kubernetes takes the DaemonSet, and its pods are the DaemonSet's", () => {
  const { spec } = getValid<DaemonSet>("daemonset");
  assert.deepEqual(spec.selector.matchLabels, spec.template.metadata.labels);
  const { initContainers, volumes } = spec.template.spec;
  const mounted = initContainers[0].volumeMounts!;
  assert.deepEqual(
    mounted.map(({ name, mountPath }) => [name, mountPath]),
    volumes.map(({ name, hostPath }) => [name, `/host${hostPath?.path ?? ""}`]),
  );
});

test("a network for Multus has a configuration that the plugin understands", () => {
  const { metadata, spec } = getValid<{ metadata: { name: string }; spec: { config: string } }>(
    "network-attachment-definition",
  );
  const config = readConfig(parseNamed(spec.config), spec.config);
  const { type } = JSON.parse(spec.config) as { type: string };
  assert.deepEqual(
    [type, config.name, config.master, config.mode, config.flag, config.ipam],
    ["ipvlan", metadata.name, "eth0", "l2", "bridge", "host-local"],
  );
});

/** As deploy/Containerfile lays them out; what it copies, and nothing else. */
function layOutImage(folder: string): void {
  const copies = Array.from(
    read("deploy/Containerfile").matchAll(/^COPY --from=build \/build\/(\S+) (\S+)$/gm),
    ([, from, to]) => [from!, to!] as const,
  );
  assert.equal(copies.length, 3);
  for (const [from, to] of copies) {
    const source = path.join(ROOT, from.replace(/^dist\//, `${path.relative(ROOT, BUILD)}/`));
    cpSync(source, path.join(folder, to, to.endsWith("/") ? path.basename(from) : ""), {
      recursive: true,
    });
  }
  mkdirSync(`${folder}/opt/ipvlan/bin`);
  cpSync(process.execPath, `${folder}/opt/ipvlan/bin/node`);
}

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "ipvlan-deploy-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("the DaemonSet's script leaves a plugin on the node that works, and keeps the one that was there", (t) => {
  const [image, host] = [newFolder(t), newFolder(t)];
  layOutImage(image);
  const plugin = `${host}/opt/cni/bin/ipvlan`;
  mkdirSync(path.dirname(plugin), { recursive: true });
  writeFileSync(plugin, "reference");
  const { spec } = getValid<DaemonSet>("daemonset");
  const [shell, ...words] = spec.template.spec.initContainers[0].command!;
  const here = words.map((word) =>
    word.replaceAll("/host", host).replaceAll(/(?<= )\/opt\//g, `${image}/opt/`),
  );
  const run = () => execFileSync(shell!, here, { encoding: "utf8" });
  assert.match(run(), /^\/opt\/cni\/bin\/ipvlan is installed; what was there is now .*\.kernel$/m);
  assert.match(run(), /^\/opt\/cni\/bin\/ipvlan is up to date$/m, "after a restart of the pod");

  const [line] = readFileSync(plugin, "utf8").split("\n", 1);
  assert.equal(line, `#!${image}/opt/ipvlan/bin/node`);
  rmSync(`${image}/opt/ipvlan/package`, { recursive: true });
  const answer = execFileSync(plugin, { env: { CNI_COMMAND: "VERSION" }, encoding: "utf8" });
  assert.match(answer, /"supportedVersions"/);
  assert.equal(readFileSync(`${plugin}.kernel`, "utf8"), "reference");
  assert.equal(statSync(`${host}/opt/ipvlan/bin/node`).size, statSync(process.execPath).size);
});
