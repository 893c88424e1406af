/** What the kernel said no to, in one line. */
import { getSystemErrorMap } from "node:util";

export function telling<Result>(doing: string, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    const { code, errno, message } = error as NodeJS.ErrnoException;
    const [, reason] = getSystemErrorMap().get(errno ?? 0) ?? [];
    const why = reason === undefined ? message : `${reason} (${code})`;
    throw new Error(`cannot ${doing}: ${why}`, { cause: error });
  }
}
