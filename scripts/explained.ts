/**
 * The decisions (src/driver/decide) as they are, but that they say what they do, for src/driver/explain.ts: in functions that
 * return a verdict a listener is told each rule that is come to, which is a comment `NAME: words` in front of a statement,
 * and each condition with its answer. Nothing else is changed, so that what is explained is what is decided.
 */
import { parseSync } from "oxc-parser";

/** What of the parser's tree this needs. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const RULE = /^ ([A-Z]+\d*(?:\.\d+)?): (.+)$/s;

/** `file`: without its folder. The result is not formatted. */
export function explained(file: string, text: string): string {
  const { program, comments } = parseSync(file, text, { preserveParens: false });
  const rules: { readonly name: string; readonly words: string }[] = [];
  const conditions: string[] = [];
  const inserts: { readonly at: number; readonly text: string }[] = [];
  const exports: string[] = [];
  const insert = (at: number, what: string) => inserts.push({ at, text: what });
  const codeOf = ({ start, end }: Node) => text.slice(start, end).replace(/\s+/g, " ");
  const body = program.body as unknown as Node[];
  const firstCode = body.find(({ type }) => type !== "ImportDeclaration")!;

  for (const node of body) {
    if (node.type === "ExportNamedDeclaration") {
      const declaration = node.declaration as Node;
      exports.push((declaration.id as Node).name as string);
      insert(node.start, "\0"); // `export` goes: the functions are inside another
      visitFunction(declaration);
    } else visitFunction(node);
  }
  return `${imports()}\n${tables()}\n${wrapped()}\n`;

  function visitFunction(node: Node): void {
    if (node.type !== "FunctionDeclaration") return;
    const returns = (node.returnType as Node | undefined)?.typeAnnotation as Node | undefined;
    if (returns !== undefined && codeOf(returns) === "v.Verdict") visit(node.body as Node);
  }

  function visit(node: Node): void {
    if (/Statement$/.test(node.type)) nameRule(node);
    if (node.type === "IfStatement" || node.type === "ConditionalExpression")
      hear(node.test as Node);
    for (const value of Object.values(node))
      for (const child of Array.isArray(value) ? value : [value])
        if (typeof (child as Node | null)?.type === "string") visit(child as Node);
  }

  /** Of a condition that is put together each part on its own. */
  function hear(test: Node): void {
    if (test.type === "LogicalExpression") {
      hear(test.left as Node);
      hear(test.right as Node);
      return;
    }
    insert(test.start, `told.condition(${conditions.push(codeOf(test)) - 1}, `);
    insert(test.end, ")");
  }

  function nameRule(node: Node): void {
    const [, name, words] = RULE.exec(commentBefore(node.start)?.value ?? "") ?? [];
    if (name === undefined) return;
    insert(node.start, `told.rule(${rules.push({ name, words: words! }) - 1}); `);
  }

  function imports(): string {
    const lines = body
      .filter(({ type }) => type === "ImportDeclaration")
      .map((node) => text.slice(node.start, node.end).replaceAll('"./', '"../decide/'));
    return [
      `/** Made of ../decide/${file} by scripts/explained.ts: change it there. */`,
      `import type { Rule, Told } from "./told.ts";`,
      ...lines,
      "",
    ].join("\n");
  }

  function tables(): string {
    return [
      `export const rules: readonly Rule[] = ${JSON.stringify(rules)};`,
      `export const conditions: readonly string[] = ${JSON.stringify(conditions)};`,
      "",
    ].join("\n");
  }

  function wrapped(): string {
    const start = commentBefore(firstCode.start)?.start ?? firstCode.start;
    let code = text.slice(start);
    for (const { at, text: what } of inserts.toSorted((a, b) => b.at - a.at))
      code = code.slice(0, at - start) + what + code.slice(at - start);
    const types = exports.map(
      (name) => `readonly ${name}: (port: DecisionPort, f: Frame) => v.Verdict`,
    );
    return `export function explained(told: Told): { ${types.join("; ")} } {
      ${code.replaceAll("\0export ", "").replaceAll(/^\s*\/\/.*\n/gm, "")}
      return { ${exports.join(", ")} };
    }`;
  }

  function commentBefore(at: number): { start: number; end: number; value: string } | undefined {
    return comments.find(({ start, end }) => start < at && /^\s*$/.test(text.slice(end, at)));
  }
}
