/** Why there is no eBPF engine here, for a person: what the kernel said, and what would change it. */
import { VerifierError } from "../../linux/bpf/programs.ts";
import { NetlinkError } from "../../linux/netlink/socket.ts";
import { SysError } from "../../linux/sys.ts";

/** One line. Throws what is no refusal of the kernel's. */
export function explain(error: unknown): string {
  if (error instanceof VerifierError) return `${error.message} (an older kernel than 5.17?)`;
  if (!isRefusal(error)) throw error;
  const remedy = REMEDIES[error.code];
  return remedy === undefined ? error.message : `${error.message} (${remedy})`;
}

type Refusal = Error & { readonly code: string };

/** Node's own errors are refusals where we make folders. */
const isRefusal = (error: unknown): error is Refusal =>
  error instanceof SysError ||
  error instanceof NetlinkError ||
  (error instanceof Error && (error as NodeJS.ErrnoException).syscall === "mkdir");

/** By error code. */
const REMEDIES: Readonly<Record<string, string>> = {
  EPERM: "it takes CAP_BPF and CAP_NET_ADMIN in the first user namespace: be root there",
  EACCES: "it takes CAP_BPF and CAP_NET_ADMIN in the first user namespace: be root there",
  ENOSYS: "it takes a kernel with CONFIG_BPF_SYSCALL",
  ENODEV: "it takes a kernel with CONFIG_BPF_SYSCALL and bpffs",
  ENOENT: "it takes a kernel with CONFIG_NET_CLS_BPF and CONFIG_NET_ACT_BPF",
  EOPNOTSUPP: "it takes a kernel with CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS",
  EROFS: "the daemon's folder is on a read-only file system",
};
