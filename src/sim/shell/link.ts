/** `ip link` of the simulated host. */
import type { Said } from "../../driver/port.ts";
import { formatMac } from "../../wire/address.ts";
import {
  type DeviceWords,
  findDeviceWords,
  readNames,
  type Setting,
} from "../../words/device-words.ts";
import { explained, incomplete, refused, wrongArgument } from "../../words/errors.ts";
import { readIpvlanWords } from "../../words/ipvlan-words.ts";
import { parseLinkAdd } from "../../words/link-add.ts";
import { findInteger, matches } from "../../words/words.ts";
import type { Device } from "../device.ts";
import type { Namespace } from "../namespace.ts";
import { findIn, findShown, garbage, getMac, getNamespace, unknown } from "./common.ts";
import type { World } from "./world.ts";

/** What it prints. */
export function link(world: World, netns: Namespace, words: readonly string[]): string {
  const [verb = "show", ...rest] = words;
  if (verb === "add") return add(world, netns, getWords(rest));
  if (matches(verb, "set")) return set(world, netns, getWords(rest));
  if (matches(verb, "delete")) return remove(world, netns, getWords(rest));
  if (matches(verb, "show") || verb === "list" || verb === "ls") return show(world, netns, rest);
  throw unknown(verb, "link", "add, set, delete, show");
}

function getWords(line: readonly string[]): DeviceWords {
  const words = findDeviceWords(line);
  if (words === undefined) throw incomplete();
  return words;
}

const lastOf = (settings: readonly Setting[], keyword: string): string | undefined =>
  settings.findLast((one) => one.keyword === keyword)?.value;

function getDevice(netns: Namespace, { settings }: DeviceWords): Device {
  const name = readNames(settings).dev;
  if (name === undefined) throw incomplete();
  return findIn(netns, name);
}

function add(world: World, netns: Namespace, words: DeviceWords): string {
  if (words.kind === "veth") return addVeth(world, netns, words);
  if (words.kind === "bridge") return addBridge(world, netns, words);
  if (words.kind !== "ipvlan")
    throw words.kind === undefined
      ? incomplete()
      : unknown(words.kind, "type", "ipvlan, veth, bridge");
  const { master, name, mode, flag, netns: target, up } = parseLinkAdd(words);
  const on = findIn(netns, master);
  if (on.name === "lo") throw refused("Invalid argument");
  const to = target === undefined ? netns : getNamespace(world, target);
  const free = name ?? firstFree(netns);
  if (netns.findDevice(free) !== undefined || to.findDevice(free) !== undefined)
    throw refused("File exists");
  const slave = world.addSlave(on, free, { mode, flag });
  if (to !== netns) world.move(slave, to);
  if (up) slave.setUp(true);
  return "";
}

function firstFree(netns: Namespace): string {
  let number = 0;
  while (netns.findDevice(`ipvlan${number}`) !== undefined) number++;
  return `ipvlan${number}`;
}

/** `link add [name] NAME type veth peer [name] NAME [netns NAME]`. */
function addVeth(world: World, netns: Namespace, words: DeviceWords): string {
  const name = readNames(words.settings).dev;
  const [peerWord, ...peerLine] = words.kindWords;
  const peer = peerWord === "peer" ? getWords(peerLine) : undefined;
  const peerName = peer === undefined ? undefined : readNames(peer.settings).dev;
  if (name === undefined || peerName === undefined) throw incomplete();
  const target = lastOf(peer!.settings, "netns");
  const there = target === undefined ? netns : getNamespace(world, target);
  const isTwice = name === peerName && netns === there;
  if (isTwice || netns.findDevice(name) !== undefined || there.findDevice(peerName) !== undefined)
    throw refused("File exists");
  world.addPair({ name, netns }, { name: peerName, netns: there });
  return "";
}

function addBridge(world: World, netns: Namespace, words: DeviceWords): string {
  const name = readNames(words.settings).dev;
  if (name === undefined) throw incomplete();
  if (netns.findDevice(name) !== undefined) throw refused("File exists");
  world.addBridge(name, netns);
  return "";
}

function set(world: World, netns: Namespace, words: DeviceWords): string {
  const device = getDevice(netns, words);
  const { settings } = words;
  if (words.kind !== undefined && words.kind !== "ipvlan")
    throw unknown(words.kind, "link set type", "ipvlan");
  if (words.kind === "ipvlan") configure(world, device, readIpvlanWords(words.kindWords));
  for (const { keyword, value } of settings) {
    if (keyword === "up" || keyword === "down") device.setUp(keyword === "up");
    else if (keyword === "netns") world.move(device, getNamespace(world, value));
    else if (keyword === "mtu") setMtu(world, device, value);
    else if (keyword === "master") setMaster(world, device, getBridge(world, netns, value));
    else if (keyword === "nomaster") world.setBridge(device, undefined);
    else if (keyword === "address") setMac(world, device, value);
    else if (keyword !== "dev")
      throw unknown(
        keyword,
        "link set",
        "up, down, netns, mtu, address, master, nomaster, type ipvlan",
      );
  }
  return "";
}

/** As of Ethernet devices. */
const MTU_MIN = 68;
const MTU_MAX = 65_535;

function setMtu(world: World, device: Device, value: string): void {
  const mtu = findInteger(value);
  if (mtu === undefined) throw wrongArgument(value, 'Invalid "mtu" value');
  if (mtu < MTU_MIN) throw explained("mtu less than device minimum");
  if (mtu > MTU_MAX) throw explained("mtu greater than device maximum");
  if (!world.setMtu(device, mtu)) throw refused("Invalid argument");
}

function setMac(world: World, device: Device, value: string): void {
  const mac = getMac(value);
  const isUnicast = (mac[0]! & 1) === 0 && mac.some((byte) => byte !== 0);
  if (!isUnicast) throw refused("Cannot assign requested address");
  if (device.isLoopback || !world.setMac(device, mac)) throw refused("Operation not supported");
}

function setMaster(world: World, device: Device, bridge: Device): void {
  if (world.isBridge(device)) throw explained("Can not enslave a bridge to a bridge");
  world.setBridge(device, bridge);
}

function getBridge(world: World, netns: Namespace, name: string): Device {
  const device = findIn(netns, name);
  if (!world.isBridge(device)) throw refused("Operation not supported");
  return device;
}

function configure(world: World, device: Device, said: Said): void {
  if (world.configure(device, said) === undefined) throw refused("Operation not supported");
}

function remove(world: World, netns: Namespace, words: DeviceWords): string {
  const device = getDevice(netns, words);
  if (device.name === "lo") throw refused("Operation not supported");
  world.removeDevice(device);
  return "";
}

function show(world: World, netns: Namespace, words: readonly string[]): string {
  const names = words.filter((word) => word !== "dev");
  const [first, kind] = names;
  if (first === "type" && kind === undefined) throw incomplete();
  if (first !== "type" && kind !== undefined) throw garbage("dev", kind);
  const devices =
    first === undefined || first === "type" ? netns.devices : [findShown(netns, first)];
  return devices
    .filter((device) => first !== "type" || kindOf(world, device) === kind)
    .map((device) => describe(world, device))
    .join("");
}

function kindOf(world: World, device: Device): string | undefined {
  if (world.portOfSlave(device) !== undefined) return "ipvlan";
  if (world.isBridge(device)) return "bridge";
  return world.peerOf(device) === undefined ? undefined : "veth";
}

/** As iproute2 prints it with -details, without numbers of devices and queues. */
function describe(world: World, device: Device): string {
  const port = world.portOfSlave(device);
  const on = port?.master.name ?? world.peerOf(device)?.name;
  const flags = [device.isNoarp ? "NOARP" : "", device.isUp ? "UP" : ""].filter(
    (word) => word !== "",
  );
  const state = device.isUp ? "UP" : "DOWN";
  const lines = [
    `${device.name}${on === undefined ? "" : `@${on}`}: <${flags.join(",")}> mtu ${device.mtu} state ${state}`,
    `    link/ether ${formatMac(device.mac)}`,
  ];
  if (port !== undefined) {
    const { mode, flag } = port.port.settings;
    lines.push(`    ipvlan mode ${mode} ${flag}`);
  }
  return `${lines.join("\n")}\n`;
}
