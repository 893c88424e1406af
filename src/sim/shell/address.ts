/** `ip address` of the simulated host. */
import { formatIp, formatPrefix, type Prefix } from "../../wire/address.ts";
import { explained, incomplete, refused, STATUS_FAILED, UsageError } from "../../words/errors.ts";
import { matches, type Words } from "../../words/words.ts";
import type { Device } from "../device.ts";
import type { Namespace } from "../namespace.ts";
import {
  findIn,
  findShown,
  garbage,
  getPrefix,
  isOf,
  isShow,
  unknown,
  type Verb,
} from "./common.ts";
import type { World } from "./world.ts";

export const address: Verb = (netns, words, family, world) => {
  const verb = words.next() ?? "show";
  if (matches(verb, "add")) return addAddress(netns, words, family, world);
  if (matches(verb, "replace") || matches(verb, "change"))
    return addAddress(netns, words, family, world, true);
  if (matches(verb, "delete")) return deleteAddress(netns, words, family);
  if (isShow(verb)) return showAddresses(netns, words, family);
  throw unknown(verb, "addr", "add, replace, delete, show");
};

interface AddressWords {
  readonly prefix: Prefix;
  readonly device: Device;
  readonly isProbed: boolean;
}

function readAddress(netns: Namespace, words: Words, family: string | undefined): AddressWords {
  let prefix: Prefix | undefined;
  let device: Device | undefined;
  let isProbed = true;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === "dev") device = findIn(netns, words.value());
    else if (word === "nodad") isProbed = false;
    else if (word === "brd" || word === "broadcast" || word === "scope") words.value();
    else if (prefix !== undefined) throw garbage("local", word);
    else prefix = getPrefix(word === "local" ? words.value() : word, family);
  }
  if (device === undefined)
    throw new UsageError('Not enough information: "dev" argument is required.', STATUS_FAILED);
  if (prefix === undefined) throw incomplete();
  return { prefix, device, isProbed };
}

function addAddress(
  netns: Namespace,
  words: Words,
  family: string | undefined,
  world: World,
  mayBeThere = false,
): string {
  const { prefix, device, isProbed } = readAddress(netns, words, family);
  if (prefix.ip.length === 16 && (prefix.ip[0] === 0xff || prefix.ip.every((byte) => byte === 0)))
    throw explained("ipv6: Invalid address");
  const port = world.portOfSlave(device)?.port;
  const holder = port?.addresses.holder(prefix.ip) ?? 0;
  if (holder !== 0 && holder !== device.deviceId)
    throw explained("Address already assigned to an ipvlan device");
  const isThere = netns
    .addressesOf(device)
    .some(({ ip, length }) => formatIp(ip) === formatIp(prefix.ip) && length === prefix.length);
  if (isThere && mayBeThere) return "";
  if (!netns.addAddress(device, prefix, isProbed)) throw refused("File exists");
  return "";
}

function deleteAddress(netns: Namespace, words: Words, family: string | undefined): string {
  const { prefix, device } = readAddress(netns, words, family);
  const isAny = prefix.length === 8 * prefix.ip.length;
  const found = netns
    .addressesOf(device)
    .find(
      ({ ip, length }) =>
        formatIp(ip) === formatIp(prefix.ip) && (isAny || length === prefix.length),
    );
  if (found === undefined) throw refused("Cannot assign requested address");
  netns.removeAddress(found);
  return "";
}

function showAddresses(netns: Namespace, words: Words, family: string | undefined): string {
  const names = words.rest().filter((word) => word !== "dev" && word !== "show");
  if (names[1] !== undefined) throw garbage("dev", names[1]);
  const devices = names[0] === undefined ? netns.devices : [findShown(netns, names[0])];
  return devices
    .map((device) => {
      const lines = netns
        .addressesOf(device)
        .filter(({ ip }) => isOf(ip, family))
        .map((one) => {
          const kind = one.ip.length === 4 ? "inet" : "inet6";
          return `    ${kind} ${formatPrefix(one)}${one.isTentative ? " tentative" : ""}\n`;
        });
      return `${device.name}: ${device.isUp ? "UP" : "DOWN"}\n${lines.join("")}`;
    })
    .join("");
}
