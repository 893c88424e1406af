/** JSON as the reference plugin reads it, whose complaints runtimes and people know: those of Go's encoding/json. */
import { CniError } from "./errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Of a value, in the words of Go. */
type Kind = "null" | "bool" | "number" | "string" | "array" | "object";

/** `doing`: what comes before the complaint. */
export function parseJson(text: string, code: number, doing: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new CniError(code, `${doing}: ${complaint(text, (error as Error).message)}`);
  }
}

/** Whether the text ends too early or is wrong before that; V8 tells by a position, or by the character. */
function complaint(text: string, message: string): string {
  const [, token] = /^Unexpected token '(.+?)', /su.exec(message) ?? [];
  if (token !== undefined) return `invalid character ${JSON.stringify(token)} in JSON input`;
  const [, digits] = /at position (\d+)/.exec(message) ?? [];
  const at = digits === undefined ? text.length : Number(digits);
  if (at >= text.length) return "unexpected end of JSON input";
  return `invalid character ${JSON.stringify(text[at])} at position ${at} of JSON input`;
}

export function kindOf(value: Json): Kind {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  const type = typeof value;
  return type === "boolean" ? "bool" : (type as Kind);
}

export const isObject = (value: Json | undefined): value is JsonObject =>
  value !== undefined && kindOf(value) === "object";

/** What a value in a Go structure may be. */
export interface GoType {
  readonly kind: Exclude<Kind, "null">;
  /** As Go writes it. */
  readonly name: string;
  /** Of an object whose fields have types; other fields are ignored. */
  readonly fields?: Readonly<Record<string, GoType>>;
  /** Of every element of an array or a map. */
  readonly each?: GoType;
}

export const STRING: GoType = { kind: "string", name: "string" };
export const BOOL: GoType = { kind: "bool", name: "bool" };
export const INT: GoType = { kind: "number", name: "int" };

/** Go's complaint about the first value that is not of its type, or undefined. `path`: where we are, `NetConf.mtu`. */
export function findMismatch(value: Json, type: GoType, path: string): string | undefined {
  const kind = kindOf(value);
  if (kind === "null") return undefined; // Go leaves the field as it is
  if (kind !== type.kind || (type === INT && !Number.isSafeInteger(value))) {
    const what = kind === "number" && type === INT ? `number ${value}` : kind;
    return `json: cannot unmarshal ${what} into Go ${path} of type ${type.name}`;
  }
  if (type.each === undefined && type.fields === undefined) return undefined;
  for (const [key, inner] of Object.entries(value as JsonObject)) {
    const expected = type.each ?? ownField(type.fields, key);
    const innerPath = type.each === undefined ? `${path}.${key}` : path;
    const found = expected && findMismatch(inner, expected, innerPath);
    if (found !== undefined) return found;
  }
  return undefined;
}

const ownField = (fields: GoType["fields"], key: string): GoType | undefined =>
  fields !== undefined && Object.hasOwn(fields, key) ? fields[key] : undefined;
