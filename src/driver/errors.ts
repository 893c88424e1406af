/** What a port refuses, told as the kernel tells it: an errno, and the driver's own words where it has any. */

export type PortErrorCode = keyof typeof errnos;

/** Linux's numbers and strerror(3)'s words. */
const errnos = {
  EPERM: [1, "Operation not permitted"],
  EBUSY: [16, "Device or resource busy"],
  EEXIST: [17, "File exists"],
  ENODEV: [19, "No such device"],
  EINVAL: [22, "Invalid argument"],
  ENOSPC: [28, "No space left on device"],
  EOPNOTSUPP: [95, "Operation not supported"],
  EADDRINUSE: [98, "Address already in use"],
} as const;

export class PortError extends Error {
  override readonly name = "PortError";
  readonly code: PortErrorCode;
  readonly errno: number;
  /** The driver's own words, sent over rtnetlink as NLMSGERR_ATTR_MSG. */
  readonly extack?: string;

  constructor(code: PortErrorCode, extack?: string) {
    const [errno, message] = errnos[code];
    super(message);
    this.code = code;
    this.errno = errno;
    if (extack !== undefined) this.extack = extack;
  }
}
