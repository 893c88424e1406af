/** A function of the subset to blocks: puts the stages together. */
import type { Block } from "./blocks.ts";
import { lowerCall, lowerCallInto, lowerEntry } from "./calls.ts";
import { Code } from "./code.ts";
import { lowerCondition } from "./conditions.ts";
import { lowerExpression } from "./expressions.ts";
import { type Binding, Lowering, type Stages } from "./lowering.ts";
import type { Machine } from "./machine.ts";
import type { Names } from "./names.ts";
import { CompileError, position, type SourceFunction } from "./source.ts";
import { lowerStatement } from "./statements.ts";

const stages: Stages = {
  binding: lowerExpression,
  condition: lowerCondition,
  statement: lowerStatement,
  call: lowerCall,
  callInto: lowerCallInto,
};

/** The blocks of an entry in an order in which every jump goes forward. Throws CompileError. */
export function lower(entry: SourceFunction, names: Names, machine: Machine): Block[] {
  const { module, node } = entry;
  const code = new Code({ module, line: position(module, node.start).line });
  const lowering = new Lowering(code, names, stages, {
    module,
    scope: new Map(),
    returns: { kind: "end" },
    exits: { onBreak: undefined, onContinue: undefined },
    calls: [],
  });
  lowerEntry(lowering, entry, parametersOf(entry, machine));
  return code.blocks;
}

/** What the machine hands an entry: by the types of its parameters. */
function parametersOf({ module, node }: SourceFunction, machine: Machine): Binding[] {
  return node.params.map((parameter) => {
    const annotation = parameter.type === "Identifier" ? parameter.typeAnnotation : undefined;
    const reference = annotation?.typeAnnotation;
    const name = reference?.type === "TSTypeReference" ? reference.typeName : undefined;
    const type =
      name?.type === "TSQualifiedName"
        ? name.right.name
        : name?.type === "Identifier"
          ? name.name
          : "";
    if (type === machine.frame) return { kind: "frame" };
    if (Object.hasOwn(machine.objects, type))
      return { kind: "object", type, fields: machine.objects[type]! };
    const known = [machine.frame, ...Object.keys(machine.objects)].join(", ");
    throw new CompileError(
      module,
      parameter,
      "an entry takes what the machine has",
      `types: ${known}`,
    );
  });
}
