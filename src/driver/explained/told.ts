/** What a decision that explains itself says on its way. */

/** docs/rules.md lists them. */
export interface Rule {
  /** `L2.1`: what a slave sends in l2, the first rule. */
  readonly name: string;
  readonly words: string;
}

/** Is told things by their number in the file's tables. */
export interface Told {
  /** The rule that is come to. */
  rule(number: number): void;
  /** A condition, and what came of it; hands that on. */
  condition(number: number, answer: boolean): boolean;
}
