/**
 * What the plugin says when it cannot do as told: the error JSON of the CNI specification on stdout, with the codes and
 * the words of the reference plugin where that refuses the same.
 */

/** CNI specification, "Error": below 100 they are the specification's; 999 is what the reference plugin uses for its own. */
export const CODE = {
  version: 1,
  environment: 4,
  json: 6,
  config: 7,
  unavailable: 50,
  other: 999,
} as const;

export class CniError extends Error {
  override readonly name = "CniError";
  readonly code: number;
  readonly details: string | undefined;

  constructor(code: number, message: string, details?: string) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** Refused for a reason that the specification has no number for. */
export const failure = (message: string): CniError => new CniError(CODE.other, message);

/** As the reference prints it; like it, without a version. */
export function formatError(error: unknown): string {
  const { code, message, details } = error instanceof CniError ? error : failure(inOneLine(error));
  return JSON.stringify({ code, msg: message, ...(details && { details }) }, null, 4);
}

/** What was wrong, without where in our code. */
export const inOneLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, "; ");

/** As Go has the kernel's words, and so the reference. */
export const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
