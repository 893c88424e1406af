/**
 * A process that kills itself at a step of its own choosing: loaded before the daemon (`NODE_OPTIONS=--import=…`), it
 * counts what changes something outside of the process (netlink requests that are no questions; programs, maps, links
 * and pins; mounts; files) and ends the daemon just before the N-th of them. It counts from SIGUSR2 on, when it reads
 * N from the file in KILL_AT; how many there have been it writes beside it (`.count`) every time, so that a daemon that
 * outlives what is asked of it tells how many steps that took.
 */
import fs, { readFileSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import koffi from "koffi";

type Call = (...words: unknown[]) => unknown;

const FILE = process.env.KILL_AT;
/** Commands of bpf(2): MAP_CREATE, PROG_LOAD, OBJ_PIN, LINK_CREATE, LINK_UPDATE. */
const BPF_COMMANDS: readonly unknown[] = [0, 5, 6, 28, 29];
const FILE_CALLS = ["unlinkSync", "rmSync", "mkdirSync", "writeFileSync"] as const;

let last = Number.POSITIVE_INFINITY;
let steps = 0;
let isCounting = false;

function step(): void {
  if (!isCounting) return;
  isCounting = false; // what we write here is no step
  steps++;
  if (steps === last) process.kill(process.pid, "SIGKILL");
  writeFileSync(`${FILE}.count`, String(steps));
  isCounting = true;
}

/** Netlink: RTM_GET… are every fourth number; other messages all change something. */
const isChange = (message: Uint8Array): boolean => {
  const messageType = message[4]! | (message[5]! << 8);
  return messageType < 16 || messageType % 4 !== 2;
};

const counts: Readonly<Record<string, (words: unknown[]) => boolean>> = {
  send: ([, message]) => isChange(message as Uint8Array),
  syscall: ([, command]) => BPF_COMMANDS.includes(command),
  mount: () => true,
  umount2: () => true,
};

function watched(name: string, call: Call): Call {
  const isStep = counts[name];
  if (isStep === undefined) return call;
  const wrapper: Call = (...words) => {
    if (isCounting && isStep(words)) step();
    return call(...words);
  };
  return Object.assign(wrapper, call);
}

if (FILE !== undefined) {
  const load = koffi.load as unknown as (path: null) => { func: Call };
  Object.assign(koffi, {
    load: (path: null) => {
      const library = load(path);
      return {
        func: (name: string, ...rest: unknown[]) =>
          watched(name, library.func(name, ...rest) as Call),
      };
    },
  });
  for (const name of FILE_CALLS) {
    const call = fs[name] as Call;
    Object.assign(fs, {
      [name]: (...words: unknown[]) => {
        step();
        return call(...words);
      },
    });
  }
  syncBuiltinESMExports();
  process.on("SIGUSR2", () => {
    last = Number(readFileSync(FILE, "utf8"));
    steps = 0;
    isCounting = false;
    writeFileSync(`${FILE}.count`, "0");
    isCounting = true;
  });
}
