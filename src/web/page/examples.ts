/** Scripts to begin with; the build puts them in (scripts/build-playground.ts). */

export interface Example {
  readonly name: string;
  readonly script: string;
}

declare const EXAMPLES: readonly Example[];

export const examples: readonly Example[] = EXAMPLES;
