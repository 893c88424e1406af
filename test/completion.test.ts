/**
 * Completion in bash, zsh and fish: one table of lines for all three, with an `ip` and an `ipvlan` that know two
 * namespaces and a slave. Each shell is asked as it asks itself; what begins otherwise than the word at the cursor, zsh
 * is left to sort out.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const BUILD = fileURLToPath(new URL("..", import.meta.url));
const COMPLETIONS = path.join(path.dirname(path.resolve(BUILD)), "completions");

const OBJECTS = "address daemon docker help install link monitor port sim status uninstall";
const ADD = "link mtu name netns type up";

/** What stands before the cursor, and what may follow. */
const TABLE: readonly (readonly [line: string, candidates: string])[] = [
  ["p", "port"],
  ["--v", "--version"],
  ["-n ", "blue red"],
  ["-j -netns b", "blue"],
  ["-family ", "inet inet6 link"],
  ["link ", "add delete help set show"],
  ["-d -n blue l s", "set show"],
  ["link add ", ADD],
  ["l a link ", "eth0 lo"],
  ["link add link eth0 ", ADD],
  ["link add link eth0 name ", ""],
  ["link add link eth0 name i1 netns ", "blue red"],
  ["link add link eth0 name i1 type ", "ipvlan"],
  ["link add link eth0 name i1 type ipvlan ", "bridge mode private vepa"],
  ["link add link eth0 name i1 type ipvlan mode ", "l2 l3 l3s"],
  ["link add link eth0 name i1 type ipvlan mode l3 p", "private"],
  ["link set ", "dev eth0 lo"],
  ["-n blue link set dev ", "i0"],
  ["link set dev i0 ", "down mtu name netns type up"],
  ["link set i0 type ipvlan v", "vepa"],
  ["link del ", "dev i0"],
  ["link delete dev ", "i0"],
  ["link show ", "dev eth0 lo type up"],
  ["link ls type ", "ipvlan"],
  ["address ", "add change delete flush help replace show"],
  ["addr add ", ""],
  ["addr add 10.0.0.10/24 ", "broadcast dev label nodad scope"],
  ["-n blue a a 10.0.0.10/24 dev ", "i0"],
  ["addr show t", "type"],
  ["monitor l", "label link"],
  ["port ", "help set show"],
  ["port show ", "-j"],
  ["port set ", "dev eth0"],
  ["port set dev ", "eth0"],
  ["port set eth0 ", "compat engine"],
  ["port set eth0 compat ", "howto kernel"],
  ["port set eth0 compat howto e", "engine"],
  ["port set eth0 engine ", "auto ebpf userspace"],
  ["port set dev eth0 engine ebpf c", "compat"],
  ["status ", "-j help"],
  ["daemon ", "help run stop"],
  ["daemon stop ", "--remove"],
  ["daemon run ", "--engine"],
  ["daemon run --engine ", "auto ebpf userspace"],
  ["daemon run --engine auto ", ""],
  ["do", "docker"],
  ["docker ", "help run"],
  ["docker run ", ""],
  ["install ", "cni docker help systemd"],
  ["install help ", ""],
  ["uninstall d", "docker"],
  ["uninstall cni ", "--root"],
  ["si", "sim"],
  ["sim script ", ""],
  ["sim --e", "--explain"],
];

/** Where the system's `ip` may know more; its completion says `of-ip` here. */
const WITH_IP: readonly (readonly [line: string, candidates: string])[] = [
  ["", `${OBJECTS} of-ip`],
  ["route ", "of-ip"],
  ["-4 route get ", "of-ip"],
];

const tools = mkdtempSync(path.join(tmpdir(), "ipvlan-completion-"));
after(() => rmSync(tools, { recursive: true }));
program(
  "ip",
  `case "$*" in
     "netns list") printf 'blue (id: 0)\\nred\\n' ;;
     "-n blue -brief link show") echo 'i0@if7 UP 02:00:00:00:00:02 <UP>' ;;
     "-brief link show") printf 'lo UNKNOWN 00\\neth0@if5 UP 02\\nipvlup2@if3 UP 02\\ns2.1@if6 UP 02\\n' ;;
   esac`,
);
program(
  "ipvlan",
  `case "$*" in
     "-brief link show type ipvlan") echo 'i0@eth0 UP 02:00:00:00:00:02 <UP>' ;;
     "port show") echo 'eth0: mode l2 bridge compat howto engine ebpf slaves i0' ;;
   esac`,
);

function program(name: string, script: string): void {
  writeFileSync(path.join(tools, name), `#!/bin/sh\n${script}\n`);
  chmodSync(path.join(tools, name), 0o755);
}

/** Asks a shell about every line at once: it prints a line with what it would offer for each. */
const SHELLS: Readonly<Record<string, readonly string[]>> = {
  bash: [
    "--norc",
    "-c",
    `source "$0/ipvlan.bash"
     _of_ip() { COMPREPLY=($(compgen -W of-ip -- "$2")); }
     complete -F _of_ip ip
     for line; do
       read -ra COMP_WORDS <<<"ipvlan $line"
       [[ $line == *[!\\ ] ]] || COMP_WORDS+=("")
       COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
       _ipvlan
       echo "\${COMPREPLY[*]}"
     done`,
  ],
  zsh: [
    "-fc",
    `fpath=($0 $fpath)
     autoload -Uz compinit && compinit -D
     [[ $_comps[ipvlan] == _ipvlan ]] || exit 1
     compadd() { shift; offered+=("$@") }
     _ip() { compadd -- of-ip }
     for line; do
       words=(ipvlan "\${(@s: :)line}") CURRENT=$#words offered=()
       _ipvlan
       print -r -- "\${(@M)offered:#$words[-1]*}"
     done`,
  ],
  fish: [
    "--no-config",
    "-c",
    `source $argv[1]/ipvlan.fish
     complete -c ip -f -a of-ip
     for line in $argv[2..]
       set offered (complete -C "ipvlan $line" | string replace -r '\\t.*' '')
       echo "$offered"
     end`,
  ],
};

for (const [shell, words] of Object.entries(SHELLS)) {
  const isThere = spawnSync(shell, ["-c", "exit"]).status === 0;
  describe(shell, { skip: !isThere && `needs the program ${shell}` }, () => {
    test("offers what may follow", () => assertOffers(shell, words, TABLE));
    test("offers what the system's ip completes where it may know more", () =>
      assertOffers(shell, words, WITH_IP));
  });
}

function assertOffers(shell: string, words: readonly string[], table: typeof TABLE): void {
  const lines = table.map(([line]) => line);
  const env = { HOME: tools, PATH: `${tools}:${process.env.PATH}` };
  const output = execFileSync(shell, [...words, COMPLETIONS, ...lines], { env, encoding: "utf8" });
  const offered = output.split("\n").slice(0, -1);
  assert.deepEqual(
    offered.map((one, i) => [lines[i], sorted(one)]),
    table.map(([line, candidates]) => [line, sorted(candidates)]),
  );
}

const sorted = (words: string): string => words.split(" ").sort().join(" ");
