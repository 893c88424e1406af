/** What to begin with: the HOWTO's script, and the scenarios. The build puts them in (scripts/build-playground.ts). */

export interface Example {
  readonly title: string;
  readonly story: string;
  /** Of a script, or of a scenario (src/sim/scenario). */
  readonly text: string;
}

declare const EXAMPLES: readonly Example[];

export const examples: readonly Example[] = EXAMPLES;
