/** The network configuration that comes on stdin. What it has besides our keys is ignored, as the specification demands. */
import { CniError, CODE, failure } from "./errors.ts";
import {
  BOOL,
  findMismatch,
  type GoType,
  INT,
  isObject,
  type Json,
  type JsonObject,
  parseJson,
  STRING,
} from "./json.ts";

export interface Config {
  /** "": unsaid, as in the fields below. */
  readonly cniVersion: string;
  readonly name: string;
  readonly master: string;
  readonly mode: string;
  readonly flag: string;
  readonly engine: string;
  /** 0 or less: the master's. */
  readonly mtu: number;
  /** The master is in the container's namespace. */
  readonly linkInContainer: boolean;
  /** Name of the IPAM plugin. */
  readonly ipam: string;
  readonly dns: JsonObject;
  /** What the plugin before us in a chain, or the ADD before this command, said. */
  readonly prevResult: JsonObject | undefined;
  /** Of GC: those that are not to be touched. */
  readonly validAttachments: readonly Attachment[];
  /** As it came, for the IPAM plugin. */
  readonly text: string;
}

export interface Attachment {
  readonly containerID: string;
  readonly ifname: string;
}

const STRINGS: GoType = { kind: "array", name: "[]string", each: STRING };
const ATTACHMENT: GoType = {
  kind: "object",
  name: "types.GCAttachment",
  fields: { containerID: STRING, ifname: STRING },
};
const VALID_ATTACHMENTS = "cni.dev/valid-attachments";

/** Ours and the reference's: flag and engine are ours. */
const NET_CONF: GoType = {
  kind: "object",
  name: "main.NetConf",
  fields: {
    cniVersion: STRING,
    name: STRING,
    type: STRING,
    master: STRING,
    mode: STRING,
    flag: STRING,
    engine: STRING,
    mtu: INT,
    linkInContainer: BOOL,
    ipam: { kind: "object", name: "types.IPAM", fields: { type: STRING } },
    dns: {
      kind: "object",
      name: "types.DNS",
      fields: { nameservers: STRINGS, domain: STRING, search: STRINGS, options: STRINGS },
    },
    capabilities: { kind: "object", name: "map[string]bool", each: BOOL },
    prevResult: { kind: "object", name: "map[string]interface {}" },
    [VALID_ATTACHMENTS]: { kind: "array", name: "[]types.GCAttachment", each: ATTACHMENT },
  },
};

const NAME_ONLY = 'struct { Name string "json:\\"name\\"" }';

/** Names of networks and ids of containers. */
export const isIdentifier = (text: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text);

/** What is checked of every configuration before anything else. */
export function parseNamed(text: string): JsonObject {
  const doing = "error unmarshall network config";
  const value = parseJson(text, CODE.json, doing);
  const refuse = (complaint: string) => new CniError(CODE.json, `${doing}: ${complaint}`);
  const wrong = findMismatch(value, { kind: "object", name: NAME_ONLY }, "value");
  if (wrong !== undefined) throw refuse(wrong);
  const config = (value ?? {}) as JsonObject;
  const name = config.name ?? "";
  const wrongName = findMismatch(name, STRING, "struct field .name");
  if (wrongName !== undefined) throw refuse(wrongName);
  if (name === "") throw new CniError(CODE.config, "missing network name");
  if (!isIdentifier(name as string))
    throw new CniError(CODE.config, "invalid characters found in network name", name as string);
  return config;
}

export function getCniVersion({ cniVersion = "" }: JsonObject): string {
  const wrong = findMismatch(cniVersion, STRING, "struct field .cniVersion");
  if (wrong !== undefined)
    throw new CniError(CODE.json, `decoding version from network config: ${wrong}`);
  return (cniVersion ?? "") as string;
}

export function readConfig(config: JsonObject, text: string): Config {
  const wrong = findMismatch(config, NET_CONF, "struct field NetConf");
  if (wrong !== undefined) throw failure(`failed to load netconf: ${wrong}`);
  const attachments = (config[VALID_ATTACHMENTS] ?? []) as readonly (Partial<Attachment> | null)[];
  return {
    cniVersion: textOf(config.cniVersion),
    name: textOf(config.name),
    master: textOf(config.master),
    mode: textOf(config.mode),
    flag: textOf(config.flag),
    engine: textOf(config.engine),
    mtu: (config.mtu ?? 0) as number,
    linkInContainer: config.linkInContainer === true,
    ipam: isObject(config.ipam) ? textOf(config.ipam.type) : "",
    dns: isObject(config.dns) ? config.dns : {},
    prevResult: isObject(config.prevResult) ? config.prevResult : undefined,
    validAttachments: attachments.map((one) => ({
      containerID: one?.containerID ?? "",
      ifname: one?.ifname ?? "",
    })),
    text,
  };
}

/** Of what is known to be text, or null, or not there. */
const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");
