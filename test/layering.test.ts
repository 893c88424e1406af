/** The arrows between folders, as docs/architecture.md draws them: what may import what. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** The repository, also when this runs from the folder it was compiled into. */
const root = findRoot(fileURLToPath(new URL(".", import.meta.url)));

/** Folders, lowest first, and the folders that each may reach besides itself. */
const kernel = ["src/wire", "src/driver/decide", "src/driver", "src/bpf", "src/linux"];
const served = [...kernel, "src/engine", "src/daemon", "src/client"];
const simulated = ["src/wire", "src/driver/decide", "src/driver", "src/words", "src/sim"];
const layers: Readonly<Record<string, readonly string[]>> = {
  "src/wire": [],
  "src/driver/decide": ["src/wire"],
  "src/driver": ["src/wire", "src/driver/decide"],
  "src/bpf": [],
  "src/words": ["src/wire", "src/driver", "src/driver/decide"],
  "src/sim": ["src/wire", "src/driver", "src/driver/decide", "src/words"],
  "src/web": simulated,
  "src/web/page": [...simulated, "src/web"],
  "src/linux": ["src/wire", "src/driver", "src/driver/decide", "src/bpf"],
  "src/engine": kernel,
  "src/daemon": [...kernel, "src/engine"],
  "src/client": ["src/daemon"],
  "src/cni": served,
  "src/docker": served,
  "src/install": [],
  "src/cli": [...served, "src/docker", "src/install", "src/words", "src/sim"],
};
const pure = [...simulated, "src/bpf", "src/web", "src/web/page"];
/** For the compiler: it runs when programs are built. */
const PARSER = "oxc-parser";

interface Import {
  /** Files by their path from the root. */
  readonly from: string;
  /** A file, or the name of a package. */
  readonly to: string;
}

const files = readdirSync(path.join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
  .map((file) => path.join("src", file));
const imports = files.flatMap(importsOf);

test("every file is in a layer", () => {
  assert.ok(files.length > 0);
  assert.deepEqual(
    files.filter((file) => layerOf(file) === undefined),
    [],
  );
});

test("imports point down", () => {
  const upward = imports.filter(({ from, to }) => {
    if (!to.startsWith("src/")) return false;
    const [here, there] = [layerOf(from)!, layerOf(to)!];
    return here !== there && !layers[here]?.includes(there);
  });
  assert.deepEqual(upward, []);
});

test("wire, driver and bpf need neither Node nor a package; the compiler has its parser", () => {
  const impure = imports.filter(
    ({ from, to }) =>
      pure.includes(layerOf(from)!) &&
      !to.startsWith("src/") &&
      !(to === PARSER && from.startsWith("src/bpf/compiler/")),
  );
  assert.deepEqual(impure, []);
});

test("nothing that runs needs the compiler, which needs a package that is not installed with us", () => {
  const compilers = imports.filter(
    ({ from, to }) =>
      to.startsWith("src/bpf/compiler/") &&
      !to.endsWith("/machine.ts") &&
      !from.startsWith("src/bpf/compiler/"),
  );
  assert.deepEqual(compilers, []);
});

test("one file knows the foreign functions", () => {
  const doors = imports.filter(({ to }) => to === "koffi").map(({ from }) => from);
  assert.deepEqual([...new Set(doors)], ["src/linux/sys.ts"]);
});

/** The deepest layer whose folder holds the file. */
function layerOf(file: string): string | undefined {
  return Object.keys(layers)
    .filter((folder) => file.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function importsOf(from: string): Import[] {
  const text = readFileSync(path.join(root, from), "utf8");
  const specifiers = text.matchAll(
    /^\s*(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"|\bimport\(\s*"([^"]+)"|^\s*import\s+"([^"]+)"/gm,
  );
  return Array.from(specifiers, ([, a, b, c]) => (a ?? b ?? c)!).map((specifier) => ({
    from,
    to: specifier.startsWith(".") ? path.join(path.dirname(from), specifier) : specifier,
  }));
}

function findRoot(folder: string): string {
  const isRoot = readdirSync(folder).includes("package.json");
  return isRoot ? folder : findRoot(path.dirname(folder));
}
