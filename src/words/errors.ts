/**
 * What the command says when it does not do as told: one line (or a usage text) for stderr and the exit status
 * that iproute2 gives in the same case. Scripts look at both, so both are copied; `test/kernel/control.json`
 * has them as recorded. Nobody gets to see a stack trace.
 */

/** The words ended where one more was needed, or a value is malformed. iproute2: exit(-1). */
export const STATUS_USAGE = 255;
/** The words are well formed, but mean nothing here: unknown option, no such device. */
export const STATUS_FAILED = 1;
/** The words were understood and the driver said no. */
export const STATUS_REFUSED = 2;

/** A command that was not carried out; `message` is printed as it is. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

export const incomplete = (): UsageError =>
  new UsageError('Command line is not complete. Try option "help"', STATUS_USAGE);

/** iproute2: invarg(). */
export const wrongArgument = (value: string, what: string): UsageError =>
  new UsageError(`Error: argument "${value}" is wrong: ${what}`, STATUS_USAGE);

/** iproute2: duparg(). */
export const duplicate = (keyword: string, value: string): UsageError =>
  new UsageError(`Error: duplicate "${keyword}": "${value}" is the second value.`, STATUS_USAGE);

export const noSuchDevice = (name: string): UsageError =>
  new UsageError(`Cannot find device "${name}"`, STATUS_FAILED);

/** What iproute2 prints for an error from the kernel that carries no text of its own. */
export const refused = (message: string): UsageError =>
  new UsageError(`RTNETLINK answers: ${message}`, STATUS_REFUSED);

export const notPermitted = (): UsageError => refused("Operation not permitted");

/** What iproute2 prints for an error that the kernel explained (extack). */
export const explained = (extack: string): UsageError =>
  new UsageError(`Error: ${extack}${extack.endsWith(".") ? "" : "."}`, STATUS_REFUSED);
