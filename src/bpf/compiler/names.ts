/** What a name at the top level of a file means, over all files; each is read when a name first leads there. */
import type { Span } from "oxc-parser";
import type { Intrinsic, Machine } from "./machine.ts";
import { parse } from "./parse.ts";
import { CompileError, type Module, type SourceConstant, type SourceFunction } from "./source.ts";

export type Meaning =
  | { readonly kind: "function"; readonly function: SourceFunction }
  | { readonly kind: "intrinsic"; readonly intrinsic: Intrinsic; readonly name: string }
  | { readonly kind: "constant"; readonly constant: SourceConstant }
  | { readonly kind: "module"; readonly module: Module }
  /** Outside the subset; `what` it is: "a class". */
  | { readonly kind: "other"; readonly what: string };

/** Text of a file by its path; throws if there is none. */
export type ReadFile = (path: string) => string;

export class Names {
  readonly #machine: Machine;
  readonly #readFile: ReadFile;
  readonly #modules: Map<string, Module> = new Map();

  constructor(machine: Machine, readFile: ReadFile) {
    this.#machine = machine;
    this.#readFile = readFile;
  }

  module(path: string): Module {
    const known = this.#modules.get(path);
    if (known) return known;
    const module = parse(path, this.#readFile(path));
    this.#modules.set(path, module);
    return module;
  }

  find(module: Module, name: string): Meaning | undefined {
    const intrinsic = this.#intrinsic(module.path, name);
    if (intrinsic) return { kind: "intrinsic", intrinsic, name };
    const imported = module.imports.get(name);
    if (imported) return this.#findImported(module, imported.from, imported.name, imported.node);
    const found = module.functions.get(name);
    if (found) return { kind: "function", function: found };
    const constant = module.constants.get(name);
    if (constant) return { kind: "constant", constant };
    const what = module.others.get(name);
    return what === undefined ? undefined : { kind: "other", what };
  }

  #findImported(
    by: Module,
    from: string,
    name: string | undefined,
    node: Span,
  ): Meaning | undefined {
    // Without a look into the file: what the machine has may be written in whatever way.
    const intrinsic = name === undefined ? undefined : this.#intrinsic(from, name);
    if (intrinsic) return { kind: "intrinsic", intrinsic, name: name! };
    const module = this.#import(by, from, node);
    return name === undefined ? { kind: "module", module } : this.find(module, name);
  }

  #intrinsic(path: string, name: string): Intrinsic | undefined {
    const functions = this.#machine.functions[path];
    return functions && Object.hasOwn(functions, name) ? functions[name] : undefined;
  }

  #import(by: Module, path: string, node: Span): Module {
    try {
      return this.module(path);
    } catch (error) {
      if (error instanceof CompileError) throw error;
      throw new CompileError(by, node, `${path} cannot be read: ${(error as Error).message}`);
    }
  }
}
