/** A file's text to a `Module`. The parser is oxc's, which reads TypeScript as it is. */
import {
  type Declaration,
  type ImportDeclaration,
  parseSync,
  type Statement,
  type VariableDeclaration,
} from "oxc-parser";
import {
  CompileError,
  type Import,
  type Module,
  type SourceConstant,
  type SourceFunction,
} from "./source.ts";

/** Throws CompileError where the text is no TypeScript. */
export function parse(path: string, text: string): Module {
  const imports = new Map<string, Import>();
  const functions = new Map<string, SourceFunction>();
  const constants = new Map<string, SourceConstant>();
  const others = new Map<string, string>();
  const module: Module = { path, text, imports, functions, constants, others };
  for (const top of topLevel(module)) {
    if (top.type === "ImportDeclaration") addImports(top);
    else if (top.type === "ExportNamedDeclaration") addDeclaration(top.declaration);
    else addDeclaration(top as Declaration);
  }
  return module;

  function addImports(node: ImportDeclaration): void {
    const from = resolve(path, node.source.value);
    for (const specifier of node.specifiers) {
      const name = importedName(specifier);
      imports.set(specifier.local.name, { from, name, node: specifier });
    }
  }
  function addDeclaration(node: Declaration | null): void {
    if (node?.type === "FunctionDeclaration" && node.id)
      functions.set(node.id.name, { module, name: node.id.name, node });
    else if (node?.type === "VariableDeclaration") addVariables(node);
    else if (node?.type === "ClassDeclaration" && node.id) others.set(node.id.name, "a class");
    else if (node?.type === "TSEnumDeclaration") others.set(node.id.name, "an enum");
  }
  function addVariables(node: VariableDeclaration): void {
    for (const { id, init } of node.declarations) {
      if (id.type !== "Identifier") continue;
      const { name } = id;
      if (node.kind !== "const" || !init) others.set(name, `a variable made by ${node.kind}`);
      else if (init.type === "ArrowFunctionExpression")
        functions.set(name, { module, name, node: init });
      else constants.set(name, { module, name, value: init });
    }
  }
}

function topLevel(module: Module): Statement[] {
  const { program, errors } = parseSync(module.path, module.text, { preserveParens: false });
  const error = errors[0];
  if (!error) return program.body as Statement[];
  const label = error.labels[0];
  const hints = label?.message ? [label.message] : [];
  throw new CompileError(module, label ?? { start: 0, end: 0 }, error.message, ...hints);
}

function importedName(specifier: ImportDeclaration["specifiers"][number]): string | undefined {
  if (specifier.type === "ImportNamespaceSpecifier") return undefined;
  if (specifier.type === "ImportDefaultSpecifier") return "default";
  const { imported } = specifier;
  return imported.type === "Literal" ? imported.value : imported.name;
}

/** The path of what `from` imports as `specifier`: relative ones count from its folder, others stay as they are. */
function resolve(from: string, specifier: string): string {
  if (!specifier.startsWith(".")) return specifier;
  const folders = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") folders.pop();
    else if (part !== ".") folders.push(part);
  }
  return folders.join("/");
}
