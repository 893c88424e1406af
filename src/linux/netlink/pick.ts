/** For parsers: fields that may be missing. */
import type { Attr, Attrs } from "./codec.ts";

/** Those of the fields whose attribute is there: `{ ...pick(told, { mac: IFLA_ADDRESS }, bytes) }`. */
export function pick<K extends string, T>(
  told: Attrs | undefined,
  fields: Record<K, number>,
  read: (attr: Attr) => T,
): Partial<Record<K, T>> {
  const found: Partial<Record<K, T>> = {};
  for (const field in fields) {
    const attr = told?.get(fields[field]);
    if (attr) found[field] = read(attr);
  }
  return found;
}

export const bytes = (a: Attr): Uint8Array => a.bytes;
export const string = (a: Attr): string => a.string();
export const u32 = (a: Attr): number => a.u32();
export const i32 = (a: Attr): number => a.i32();
