/** IP addresses travel as their 4 or 16 bytes; the family follows from the length. */
import { AF_INET, AF_INET6 } from "../sys.ts";

export const familyOf = (ip: Uint8Array): number => (ip.length === 4 ? AF_INET : AF_INET6);
