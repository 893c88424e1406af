/** A function of the subset to blocks: puts the stages together. */
import type { ParamPattern } from "oxc-parser";
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
    const type = typeName(parameter);
    if (type === machine.frame) return { kind: "frame" };
    const fields = Object.hasOwn(machine.objects, type) ? machine.objects[type] : undefined;
    if (fields) return { kind: "object", type, fields };
    const types = [machine.frame, ...Object.keys(machine.objects)].join(", ");
    const message = "an entry takes what the machine has";
    throw new CompileError(module, parameter, message, `types: ${types}`);
  });
}

/** "Frame" of `f: Frame` and of `f: wire.Frame`; "" of any other. */
function typeName(parameter: ParamPattern): string {
  const annotation = parameter.type === "Identifier" ? parameter.typeAnnotation : undefined;
  const type = annotation?.typeAnnotation;
  const name = type?.type === "TSTypeReference" ? type.typeName : undefined;
  if (name?.type === "TSQualifiedName") return name.right.name;
  return name?.type === "Identifier" ? name.name : "";
}
