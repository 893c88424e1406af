/** Which statements control can leave at their end. */
import type { Statement, SwitchStatement } from "oxc-parser";

/** Whether what stands behind the statement may be reached from it. */
export function mayEnd(s: Statement): boolean {
  switch (s.type) {
    case "ReturnStatement":
    case "BreakStatement":
    case "ContinueStatement":
      return false;
    case "BlockStatement":
      return s.body.every(mayEnd);
    case "IfStatement":
      return s.alternate === null || mayEnd(s.consequent) || mayEnd(s.alternate);
    case "SwitchStatement":
      return mayEndSwitch(s);
    default:
      return true;
  }
}

function mayEndSwitch(s: SwitchStatement): boolean {
  const last = s.cases.at(-1);
  return (
    !s.cases.some(({ test }) => test === null) ||
    last!.consequent.every(mayEnd) ||
    s.cases.some(({ consequent }) => consequent.some(hasBreak))
  );
}

/** Whether it holds a `break` that leaves what is around it. */
function hasBreak(s: Statement): boolean {
  switch (s.type) {
    case "BreakStatement":
      return true;
    case "BlockStatement":
      return s.body.some(hasBreak);
    case "IfStatement":
      return hasBreak(s.consequent) || (s.alternate !== null && hasBreak(s.alternate));
    default:
      return false; // a loop or a switch takes its own
  }
}
