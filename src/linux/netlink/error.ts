/** How the kernel says no: an error number and, since 4.12, words ("extended acknowledgement"). */
import { errnoName, strerror } from "../sys.ts";
import { align4, attrs, header, MESSAGE_HEADER, type Message } from "./codec.ts";

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

/** The kernel refused a request: what was wanted, why, and its own words about it. */
export class NetlinkError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly doing: string;
  readonly extack: string | undefined;

  constructor(doing: string, errno: number, extack?: string) {
    super(`${doing}: ${strerror(errno)}${extack === undefined ? "" : `: ${extack}`}`);
    this.name = "NetlinkError";
    this.code = errnoName(errno);
    this.errno = errno;
    this.doing = doing;
    this.extack = extack;
  }
}

/** An acknowledgement or the end of a list: the error number, and the kernel's words for it. */
export function throwIfRefused(message: Message, doing: string): void {
  const { payload, flags, type } = message;
  const errno = payload.length < 4 ? 0 : -header(payload, 4).getInt32(0, true);
  if (errno <= 0) return;
  const echo = type === NLMSG_ERROR ? echoLength(message) : 0;
  const words =
    flags & NLM_F_ACK_TLVS ? attrs(payload, 4 + echo).get(NLMSGERR_ATTR_MSG) : undefined;
  throw new NetlinkError(doing, errno, words?.string());
}

/** An error repeats the request it answers, or its header only. */
function echoLength({ payload, flags }: Message): number {
  if (flags & NLM_F_CAPPED) return MESSAGE_HEADER;
  return align4(header(payload, 8).getUint32(4, true));
}
