/** What can be installed: for each target the files, where clients look for them, and what there is to do then. */
import { readFileSync } from "node:fs";

/** A file as it shall be. */
export interface Placed {
  readonly path: string;
  readonly content: Buffer;
  readonly mode: number;
  /** Behind the path of a file of somebody else's that was there: it comes back when ours goes. */
  readonly aside: string;
}

export interface Target {
  /** In the order in which they are put there. */
  readonly files: readonly Placed[];
  /** systemd's units among them, without their sockets: those that may run when they are taken away. */
  readonly units: readonly string[];
  /** For people. */
  readonly next: string;
}

/** What the files name: absolute paths, since who runs them may have no PATH, or another. */
export interface Programs {
  readonly node: string;
  /** The script that understands our words. */
  readonly script: string;
}

export const TARGETS = ["cni", "docker", "systemd"] as const;
export type TargetName = (typeof TARGETS)[number];

export function getTarget(name: TargetName, programs: Programs): Target {
  switch (name) {
    case "cni":
      return cni(programs);
    case "docker":
      return units(["ipvlan-docker.service"], "ipvlan-docker", programs);
    case "systemd":
      return units(["ipvlan.service", "ipvlan.socket"], "ipvlan.socket", programs);
  }
}

/**
 * The first is where the kubelet's runtimes look, and containerd and Docker's tools; podman and CRI-O ask the other
 * before the distribution's own folder, where the reference plugin has the same name.
 */
const CNI_FOLDERS = ["/opt/cni/bin", "/usr/local/libexec/cni"];

function cni({ node }: Programs): Target {
  const content = withInterpreter(readFileSync(new URL("../../cni/ipvlan", import.meta.url)), node);
  const files = CNI_FOLDERS.map((folder) => ({
    path: `${folder}/ipvlan`,
    content,
    mode: 0o755,
    aside: ".kernel",
  }));
  return { files, units: [], next: 'In a network configuration: "type": "ipvlan"' };
}

/** Bytes that the kernel reads of a first line. */
const FIRST_LINE_MAX = 255;

function withInterpreter(script: Buffer, node: string): Buffer {
  const line = `#!${node}`;
  if (/\s/.test(node) || Buffer.byteLength(line) > FIRST_LINE_MAX)
    throw new Error(`${node}: a path with blanks, or so long, cannot be a script's interpreter`);
  return Buffer.concat([Buffer.from(line), script.subarray(script.indexOf("\n"))]);
}

const UNITS = "/etc/systemd/system";

function units(names: readonly string[], enabled: string, programs: Programs): Target {
  return {
    files: names.map((name) => ({
      path: `${UNITS}/${name}`,
      content: Buffer.from(withPrograms(readUnit(name), programs)),
      mode: 0o644,
      aside: ".orig",
    })),
    units: names,
    next: `Next: systemctl enable --now ${enabled}`,
  };
}

const readUnit = (name: string): string =>
  readFileSync(new URL(`../../../packaging/systemd/${name}`, import.meta.url), "utf8");

const withPrograms = (unit: string, { node, script }: Programs): string =>
  unit.replace(/^ExecStart=ipvlan /m, () => `ExecStart=${unitWord(node)} ${unitWord(script)} `);

/** man: systemd.service(5), COMMAND LINES. */
function unitWord(path: string): string {
  const word = path.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w%$@+:,./-]+$/.test(word) ? word : `"${word.replace(/["\\]/g, "\\$&")}"`;
}
