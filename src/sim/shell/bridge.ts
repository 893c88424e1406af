/** `bridge` of the simulated host: what its bridges' ports do, and which MACs are where. */
import { formatMac } from "../../wire/address.ts";
import { incomplete, refused } from "../../words/errors.ts";
import { Words } from "../../words/words.ts";
import type { Device } from "../device.ts";
import type { Namespace } from "../namespace.ts";
import type { Switch, SwitchPortSettings } from "../switch.ts";
import { findIn, getMac, isShow, unknown } from "./common.ts";
import type { World } from "./world.ts";

const SETTINGS: Readonly<Record<string, keyof SwitchPortSettings>> = {
  hairpin: "isHairpin",
  learning: "isLearning",
  locked: "isLocked",
};
const ALLOWED =
  "link set dev PORT { hairpin | learning | locked } { on | off }, fdb add MAC dev PORT master static, " +
  "fdb del MAC dev PORT master, fdb show [ br BRIDGE | dev PORT ]";

/** What it prints. */
export function bridge(world: World, netns: Namespace, line: readonly string[]): string {
  const [object, verb = "show", ...rest] = line;
  const words = new Words(rest);
  if (object === "link" && verb === "set") return setPort(world, netns, words);
  if (object === "fdb" && (verb === "add" || verb === "replace" || verb === "append"))
    return change(world, netns, words, true);
  if (object === "fdb" && (verb === "del" || verb === "delete"))
    return change(world, netns, words, false);
  if (object === "fdb" && isShow(verb)) return show(world, netns, words);
  throw unknown(line.join(" "), "bridge", ALLOWED);
}

function getSwitch(world: World, device: Device): Switch {
  const found = world.bridgeOf(device) && world.switchOf(device);
  if (found === undefined) throw refused("Operation not supported");
  return found;
}

function setPort(world: World, netns: Namespace, words: Words): string {
  const settings: Partial<SwitchPortSettings> = {};
  let device: Device | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    const setting = Object.hasOwn(SETTINGS, word) ? SETTINGS[word] : undefined;
    if (setting !== undefined) settings[setting] = readSwitch(words.value());
    else if (word === "dev") device = findIn(netns, words.value());
    else if (device === undefined) device = findIn(netns, word);
    else throw unknown(word, "bridge link set", `${Object.keys(SETTINGS).join(", ")}`);
  }
  if (device === undefined) throw incomplete();
  getSwitch(world, device).configure(device, settings);
  return "";
}

function readSwitch(word: string): boolean {
  if (word === "on" || word === "off") return word === "on";
  throw unknown(word, "bridge link set", "on and off");
}

/** `MAC dev PORT master [ static ]`. */
function change(world: World, netns: Namespace, words: Words, isAdded: boolean): string {
  const mac = getMac(words.value());
  const kinds: string[] = [];
  let device: Device | undefined;
  for (let word = words.next(); word !== undefined; word = words.next())
    if (word === "dev") device = findIn(netns, words.value());
    else kinds.push(word);
  if (device === undefined) throw incomplete();
  const wanted = isAdded ? "master static" : "master";
  const isRight = kinds.join(" ") === wanted || (!isAdded && kinds.join(" ") === "master static");
  if (!isRight) throw unknown(kinds.join(" "), "bridge fdb", `MAC dev PORT ${wanted}`);
  const found = getSwitch(world, device);
  if (isAdded && !found.add(device, mac)) throw refused("No space left on device");
  if (!isAdded && !found.remove(device, mac)) throw refused("No such file or directory");
  return "";
}

function show(world: World, netns: Namespace, words: Words): string {
  let of: Device | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word !== "br" && word !== "dev" && word !== "brport")
      throw unknown(word, "bridge fdb show", "br BRIDGE, dev PORT");
    of = findIn(netns, words.value());
  }
  const bridges = of === undefined ? netns.devices.filter((one) => world.isBridge(one)) : [of];
  return bridges
    .flatMap((device) => world.switchOf(device)?.list() ?? [])
    .filter(({ device }) => device.netns === netns)
    .filter(({ device }) => of === undefined || world.isBridge(of) || device === of)
    .map(({ mac, device, isStatic }) => {
      const master = world.bridgeOf(device)?.name;
      return `${formatMac(mac)} dev ${device.name} master ${master}${isStatic ? " static" : ""}\n`;
    })
    .join("");
}
