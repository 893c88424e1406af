/** Which function a call means. */
import type { CallExpression } from "oxc-parser";
import type { Lowering } from "./lowering.ts";
import type { Meaning } from "./names.ts";

export type Callee = Extract<Meaning, { kind: "function" | "intrinsic" }>;

export function findCallee(l: Lowering, { callee }: CallExpression): Callee {
  const [name, meaning] = meaningOf(l, callee);
  if (meaning?.kind === "function" || meaning?.kind === "intrinsic") return meaning;
  return l.fail(
    callee,
    `${name} is no function of this file or of an import`,
    "a method is none either: write a function that takes the object",
  );
}

function meaningOf(l: Lowering, n: CallExpression["callee"]): [string, Meaning | undefined] {
  if (n.type === "Identifier") {
    const isLocal = l.around.scope.has(n.name);
    return [n.name, isLocal ? undefined : l.names.find(l.around.module, n.name)];
  }
  if (n.type !== "MemberExpression" || n.object.type !== "Identifier" || n.computed)
    throw new Error(`a call of ${n.type} passed the check`);
  const name = `${n.object.name}.${n.property.name}`;
  if (l.around.scope.has(n.object.name)) return [name, undefined];
  const imported = l.names.find(l.around.module, n.object.name);
  if (imported?.kind !== "module") return [name, undefined];
  return [name, l.names.find(imported.module, n.property.name)];
}
