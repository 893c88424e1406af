/**
 * The types of `control.ts` once more, as JSON Schema: what requests are checked with, and what `/v1/openapi.json`
 * tells. A field that a type gains or loses is an error here.
 */
import { compats, flags, modes } from "../driver/settings.ts";
import { ENGINE_CHOICES } from "../engine/engine.ts";
import type {
  ChangeLink,
  ChangePort,
  Conflict,
  ControlError,
  CreateLink,
  Here,
  LinkChanged,
  LinkInfo,
  Links,
  PortChanged,
  PortInfo,
  Ports,
  Refusal,
  RemoveLabelled,
  RemoveLink,
  Stop,
} from "./control.ts";
import { LABEL_PATTERN } from "./identity.ts";

export type Schema = Readonly<Record<string, unknown>>;

type Optional<T> = { [K in keyof T]-?: object extends Pick<T, K> ? K : never }[keyof T];
type Fields<K extends PropertyKey> = Readonly<Record<K, Schema>>;

/** Fields that are always there, then those that may be. */
const object = <T>(
  required: Fields<Exclude<keyof T, Optional<T>>>,
  optional: Fields<Optional<T>>,
): Schema => ({
  type: "object",
  required: Object.keys(required),
  properties: { ...required, ...optional },
  additionalProperties: false,
});

/** Of paths and names. */
const TEXT_MAX = 4096;
const given: Schema = {
  type: "string",
  minLength: 1,
  maxLength: TEXT_MAX,
  pattern: "^[^\\u0000]+$",
};
const label: Schema = { type: "string", pattern: LABEL_PATTERN };
const text: Schema = { type: "string" };
const count: Schema = { type: "integer", minimum: 0 };
const boolean: Schema = { type: "boolean" };
const oneOf = (words: object): Schema => ({ type: "string", enum: Object.keys(words) });
const mode = oneOf(modes);
const flag = oneOf(flags);
const compat = oneOf(compats);
const engine: Schema = { type: "string", enum: ENGINE_CHOICES };
const list = (items: Schema): Schema => ({ type: "array", items });
const counters: Schema = { type: "object", additionalProperties: count };
const mtu: Schema = { type: "integer", minimum: 0, maximum: 0xffffffff };

/** A reference to one of `components`. */
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

export const requests: Fields<
  "createLink" | "changeLink" | "removeLink" | "changePort" | "here" | "stop"
> = {
  createLink: object<CreateLink>(
    { netns: given, master: given, name: given },
    { mode, flag, target: given, up: boolean, mtu, label, engine, keep: boolean },
  ),
  changeLink: object<ChangeLink>({ netns: given, name: given }, { mode, flag }),
  removeLink: {
    type: "object",
    anyOf: [
      object<RemoveLink>({ netns: given, name: given }, {}),
      object<RemoveLabelled>({ label }, {}),
    ],
  },
  changePort: object<ChangePort>({ netns: given, master: given }, { compat, engine }),
  here: object<Here>({ netns: given }, {}),
  stop: object<Stop>({}, { remove: boolean }),
};

export const answers: Fields<
  "linkChanged" | "links" | "ports" | "portChanged" | "refusal" | "done"
> = {
  linkChanged: object<LinkChanged>({ link: ref("LinkInfo"), touched: list(text) }, {}),
  links: object<Links>({ links: list(ref("LinkInfo")) }, {}),
  ports: object<Ports>({ ports: list(ref("PortInfo")) }, {}),
  portChanged: object<PortChanged>({ port: ref("PortInfo") }, {}),
  refusal: object<Refusal>({ error: ref("ControlError") }, {}),
  done: object<Record<never, never>>({}, {}),
};

export const components: Readonly<Record<string, Schema>> = {
  LinkInfo: object<LinkInfo>(
    {
      name: text,
      ifindex: count,
      here: boolean,
      master: text,
      masterIfindex: count,
      masterHere: boolean,
      masterUp: boolean,
      mode,
      flag,
      deviceId: count,
      mac: text,
      mtu: count,
      up: boolean,
      addresses: list(text),
      room: count,
      statistics: counters,
    },
    { netns: text, label, refused: count },
  ),
  Conflict: object<Conflict>({ address: text, holder: text, claimants: list(text) }, {}),
  PortInfo: object<PortInfo>(
    {
      master: text,
      ifindex: count,
      mode,
      flag,
      compat,
      engine: text,
      engineReason: text,
      consumption: text,
      wayUp: text,
      slaves: list(ref("LinkInfo")),
      conflicts: list(ref("Conflict")),
      drops: counters,
    },
    {},
  ),
  ControlError: object<ControlError>({ code: text, errno: count, message: text }, { extack: text }),
};
