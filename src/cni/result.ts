/**
 * Results: what ADD answers, what the IPAM plugin answers, what a runtime hands back as prevResult. Inside we have one
 * form, that of 1.0.0; the others are read into it and written from it.
 */

import { inspect } from "node:util";
import { parseIp, parsePrefix } from "../wire/address.ts";
import { failure } from "./errors.ts";
import { isObject, type Json, type JsonObject } from "./json.ts";
import { alike, getVersion, isSince, type Version } from "./version.ts";

export interface Interface {
  readonly name: string;
  readonly mac?: string;
  /** Path of the namespace; none for the host's. */
  readonly sandbox?: string;
  /** Since 1.1.0. */
  readonly mtu?: number;
}

export interface IpConfig {
  /** With its prefix length. */
  readonly address: string;
  readonly gateway?: string;
  /** Which of the interfaces has it. */
  readonly interface?: number;
}

export interface Route {
  readonly dst: string;
  readonly gw?: string;
  /** Since 1.1.0. */
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly scope?: number;
}

export interface Result {
  readonly interfaces: readonly Interface[];
  readonly ips: readonly IpConfig[];
  readonly routes: readonly Route[];
  readonly dns: JsonObject;
}

/** Undefined, or why it is none that a configuration of this version may hand on. */
export function findForeignVersion(said: JsonObject, version: Version): string | undefined {
  const has = typeof said.cniVersion === "string" ? said.cniVersion : "";
  const known = alike(version);
  if (known.some((one) => one === has) || (has === "" && known.includes("0.1.0"))) return undefined;
  return `result type supports [${known.join(" ")}] but unmarshalled CNIVersion is "${has}"`;
}

/** Throws for what cannot be a result of the version that it says. */
export function readResult(said: JsonObject): Result {
  const version = getVersion(typeof said.cniVersion === "string" ? said.cniVersion : "");
  const dns = isObject(said.dns) ? said.dns : {};
  if (isSince(version, "0.3.0"))
    return {
      interfaces: list(said.interfaces, readInterface),
      ips: list(said.ips, readIp),
      routes: list(said.routes, readRoute),
      dns,
    };
  const halves = [said.ip4, said.ip6].filter(isObject);
  return {
    interfaces: [],
    ips: halves.map(({ ip, gateway }) => readIp({ address: ip ?? null, gateway: gateway ?? null })),
    routes: halves.flatMap(({ routes }) => list(routes, readRoute)),
    dns,
  };
}

function list<T>(said: Json | undefined, read: (one: JsonObject) => T): T[] {
  if (said === undefined || said === null) return [];
  if (!Array.isArray(said)) throw malformed(said);
  return said.map((one: Json) => {
    if (!isObject(one)) throw malformed(one);
    return read(one);
  });
}

const malformed = (said: Json): Error =>
  failure(
    `malformed result: ${inspect(said, { depth: 2, breakLength: Number.POSITIVE_INFINITY })}`,
  );

const readInterface = (said: JsonObject): Interface => ({
  name: text(said.name) ?? "",
  ...some("mac", text(said.mac)),
  ...some("sandbox", text(said.sandbox)),
  ...some("mtu", number(said.mtu)),
});

function readIp(said: JsonObject): IpConfig {
  const [address, gateway] = [text(said.address), text(said.gateway)];
  if (address === undefined || parsePrefix(address) === undefined) throw malformed(said);
  if (gateway !== undefined && parseIp(gateway) === undefined) throw malformed(said);
  return { address, ...some("gateway", gateway), ...some("interface", number(said.interface)) };
}

function readRoute(said: JsonObject): Route {
  const [dst, gw] = [text(said.dst), text(said.gw)];
  if (dst === undefined || parsePrefix(dst) === undefined) throw malformed(said);
  if (gw !== undefined && parseIp(gw) === undefined) throw malformed(said);
  return {
    dst,
    ...some("gw", gw),
    ...some("mtu", number(said.mtu)),
    ...some("advmss", number(said.advmss)),
    ...some("priority", number(said.priority)),
    ...some("table", number(said.table)),
    ...some("scope", number(said.scope)),
  };
}

function text(said: Json | undefined): string | undefined {
  if (said === undefined || said === null || said === "") return undefined;
  if (typeof said !== "string") throw malformed(said);
  return said;
}

function number(said: Json | undefined): number | undefined {
  if (said === undefined || said === null) return undefined;
  if (!Number.isSafeInteger(said)) throw malformed(said);
  return said as number;
}

/** A field that is left out if there is nothing to say. */
const some = <K extends string, T>(key: K, value: T | undefined): { [key in K]?: T } =>
  value === undefined ? {} : ({ [key]: value } as { [key in K]: T });

/** In the form of a version, its fields in the order in which the reference prints them. */
export function formatResult(result: Result, version: Version): string {
  return JSON.stringify({ cniVersion: version, ...formOf(result, version) }, null, 4);
}

function formOf({ interfaces, ips, routes, dns }: Result, version: Version): object {
  if (!isSince(version, "0.3.0")) return { ...oldHalf("ip4"), ...oldHalf("ip6"), dns };
  const is1 = isSince(version, "1.1.0");
  return {
    ...(interfaces.length > 0 && {
      interfaces: interfaces.map(({ mtu, ...one }) => ({ ...one, ...(is1 && some("mtu", mtu)) })),
    }),
    ...(ips.length > 0 && { ips: ips.map(ipOf) }),
    ...(routes.length > 0 && {
      routes: routes.map(({ dst, gw, ...more }) => ({
        dst,
        ...some("gw", gw),
        ...(is1 && more),
      })),
    }),
    dns,
  };

  function ipOf({ interface: of, address, gateway }: IpConfig): object {
    const family = isSince(version, "1.0.0") ? undefined : isSix(address) ? "6" : "4";
    const [first, second] = [some("version", family), some("interface", of)];
    return { ...first, ...second, address, ...some("gateway", gateway) };
  }

  /** Before 0.3.0 a result had one address of each family. */
  function oldHalf(name: "ip4" | "ip6"): object {
    const isMine = (text: string) => isSix(text) === (name === "ip6");
    const ip = ips.find(({ address }) => isMine(address));
    if (ip === undefined) return {};
    const mine = routes
      .filter(({ dst }) => isMine(dst))
      .map(({ dst, gw }) => ({ dst, ...some("gw", gw) }));
    return {
      [name]: {
        ip: ip.address,
        ...some("gateway", ip.gateway),
        ...(mine.length > 0 && { routes: mine }),
      },
    };
  }
}

export const isSix = (text: string): boolean => text.includes(":");
