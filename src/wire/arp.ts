/** ARP for IPv4 over Ethernet, RFC 826: 28 bytes from `at` on. */
import { type Frame, put16, put32, u16, u32 } from "./frame.ts";

export const LENGTH = 28;
export const REQUEST = 1;
export const REPLY = 2;

export interface Fields {
  readonly operation: number;
  readonly senderMacHigh: number;
  readonly senderMacLow: number;
  readonly sender: number;
  /** 0 in a request: it is what is being asked for. */
  readonly targetMacHigh: number;
  readonly targetMacLow: number;
  readonly target: number;
}

/** The four fields that say "IPv4 over Ethernet": hardware 1, protocol 0x0800, lengths 6 and 4. */
const HARDWARE_PROTOCOL = 0x00010800;
const LENGTHS = 0x0604;

export const check = (f: Frame, at: number): boolean => f.length >= at + LENGTH;
/** Whether it speaks of IPv4 addresses over Ethernet, as the accessors below take for granted. */
export const isIpv4 = (f: Frame, at: number): boolean =>
  u32(f, at) === HARDWARE_PROTOCOL && u16(f, at + 4) === LENGTHS;
export const operation = (f: Frame, at: number): number => u16(f, at + 6);
export const senderMacHigh = (f: Frame, at: number): number => u16(f, at + 8);
export const senderMacLow = (f: Frame, at: number): number => u32(f, at + 10);
/** Sender protocol address. */
export const sender = (f: Frame, at: number): number => u32(f, at + 14);
export const targetMacHigh = (f: Frame, at: number): number => u16(f, at + 18);
export const targetMacLow = (f: Frame, at: number): number => u32(f, at + 20);
/** Target protocol address. */
export const target = (f: Frame, at: number): number => u32(f, at + 24);

export function write(f: Frame, at: number, fields: Fields): void {
  put32(f, at, HARDWARE_PROTOCOL);
  put16(f, at + 4, LENGTHS);
  put16(f, at + 6, fields.operation);
  put16(f, at + 8, fields.senderMacHigh);
  put32(f, at + 10, fields.senderMacLow);
  put32(f, at + 14, fields.sender);
  put16(f, at + 18, fields.targetMacHigh);
  put32(f, at + 20, fields.targetMacLow);
  put32(f, at + 24, fields.target);
}
