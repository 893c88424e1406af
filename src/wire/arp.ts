/** ARP for IPv4 over Ethernet, RFC 826: 28 bytes from `at` on. */
import { type Frame, u16, u32 } from "./frame.ts";

export const LENGTH = 28;
export const REQUEST = 1;
export const REPLY = 2;

export const check = (f: Frame, at: number): boolean => f.length >= at + LENGTH;
export const operation = (f: Frame, at: number): number => u16(f, at + 6);
export const senderMacHigh = (f: Frame, at: number): number => u16(f, at + 8);
export const senderMacLow = (f: Frame, at: number): number => u32(f, at + 10);
/** Sender protocol address. */
export const sender = (f: Frame, at: number): number => u32(f, at + 14);
export const targetMacHigh = (f: Frame, at: number): number => u16(f, at + 18);
export const targetMacLow = (f: Frame, at: number): number => u32(f, at + 20);
/** Target protocol address. */
export const target = (f: Frame, at: number): number => u32(f, at + 24);
