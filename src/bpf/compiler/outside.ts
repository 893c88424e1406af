/** What is not part of the subset: how errors call it, and what to write instead. */

type Table = Readonly<Record<string, readonly [what: string, instead: string]>>;

const LOOP = "a loop is for (let i = 0; i < CONSTANT; i++)";
const NO_FUNCTION = "declare it at the top level and hand on what it needs";
const NO_FAILURE = "return a value that says so";
const NO_STRING = "values are integers and booleans";

export const statementsOutside: Table = {
  WhileStatement: ["while", LOOP],
  DoWhileStatement: ["do", LOOP],
  ForInStatement: ["for … in", LOOP],
  ForOfStatement: ["for … of", LOOP],
  TryStatement: ["try", NO_FAILURE],
  ThrowStatement: ["throw", NO_FAILURE],
  LabeledStatement: ["a label", "return from a function of its own"],
  FunctionDeclaration: ["a function within a function", NO_FUNCTION],
  ClassDeclaration: ["a class", "values are integers and booleans"],
  DebuggerStatement: ["debugger", "run the decision in JavaScript"],
};

export const expressionsOutside: Table = {
  ArrayExpression: ["an array", "give each value a name"],
  ObjectExpression: ["an object", "pack several values into one number: (kind << 24) | value"],
  ArrowFunctionExpression: ["a function within a function", NO_FUNCTION],
  FunctionExpression: ["a function within a function", NO_FUNCTION],
  AssignmentExpression: ["an assignment inside an expression", "make it a statement of its own"],
  UpdateExpression: ["++ or -- inside an expression", "make it a statement of its own"],
  SequenceExpression: ["the comma operator", "make each a statement of its own"],
  ChainExpression: ["?.", "nothing here is null: write ."],
  NewExpression: ["new", "values are integers and booleans"],
  ClassExpression: ["a class", "values are integers and booleans"],
  TemplateLiteral: ["a template string", NO_STRING],
  TaggedTemplateExpression: ["a template string", NO_STRING],
  AwaitExpression: ["await", "a decision waits for nothing"],
  ThisExpression: ["this", "hand the object on as a parameter"],
};

export const ARITHMETIC: ReadonlySet<string> = new Set("+ - * & | ^ << >> >>>".split(" "));
export const COMPARISONS: ReadonlySet<string> = new Set("=== !== < <= > >=".split(" "));
export const LOGICAL: ReadonlySet<string> = new Set("&& ||".split(" "));
export const UNARY: ReadonlySet<string> = new Set("- ~ !".split(" "));

/** What to write instead of a binary or logical operator. */
export const operatorsOutside: Readonly<Record<string, string>> = {
  "/": "JavaScript divides with a fraction, BPF does not: shift with >> or mask with &",
  "%": "mask with &: x & 7 for x % 8",
  "**": "shift with <<, or multiply",
  "==": "write ===",
  "!=": "write !==",
  "??": "nothing here is null",
  "&&": "write an if",
  "||": "write an if",
  in: "there are no objects here",
  instanceof: "there are no objects here",
};

/** The same of those before one operand. */
export const unaryOutside: Readonly<Record<string, string>> = {
  "+": "every value is a number already",
  typeof: "every value is a number or a boolean",
  void: "a decision only computes what it returns",
  delete: "a decision leaves frame and settings as they are",
};
