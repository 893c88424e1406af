/** What a device sees, as dumpcap writes it down and tshark reads it: judges that are not ours. */
import type { ChildProcess } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { shell, spawnAt } from "../scripts/lab.ts";

export interface CapturedFrame {
  readonly number: number;
  readonly length: number;
  /** The checksum of IPv4, TCP or UDP is not right. */
  readonly isWrong: boolean;
}

/** dumpcap writes down what it has read at least this often. */
const CATCH_UP_MS = 300;

export class Capture {
  readonly #path: string;
  readonly #file: WriteStream;
  readonly #dumpcap: ChildProcess;
  readonly #written: Promise<void>;

  private constructor(path: string, dumpcap: ChildProcess) {
    this.#path = path;
    this.#dumpcap = dumpcap;
    this.#file = dumpcap.stdout!.pipe(createWriteStream(path));
    this.#written = finished(this.#file);
  }

  /** Resolves when it listens. */
  static async start(end: string, device: string, path: string): Promise<Capture> {
    // Not tcpdump: it gives its rights up by a way that a user namespace forbids.
    const dumpcap = spawnAt(end, ["dumpcap", "-q", "-i", device, "-B", "64", "-w", "-"]);
    const capture = new Capture(path, dumpcap);
    for await (const text of dumpcap.stderr.iterator({ destroyOnReturn: false }))
      if (String(text).includes("File:")) break;
    return capture;
  }

  /** Once it has read what waits for it: it forgets the rest. */
  async stop(): Promise<void> {
    for (let before = -1; before < this.#file.bytesWritten; await sleep(CATCH_UP_MS))
      before = this.#file.bytesWritten;
    this.#dumpcap.kill("SIGINT");
    await this.#written;
  }

  async frames(): Promise<CapturedFrame[]> {
    const verify = CHECKSUMS.map((protocol) => `-o ${protocol}.check_checksum:TRUE`).join(" ");
    const fields = ["frame.number", "frame.len", ...CHECKSUMS.flatMap(fieldsOf)];
    const lines = await shell(
      "host",
      `tshark -n -r ${this.#path} ${verify} -T fields ${fields.map((f) => `-e ${f}`).join(" ")} 2>/dev/null`,
    );
    return lines.split("\n").filter(Boolean).map(parseLine);
  }
}

/** Protocols whose checksums tshark verifies only when told to. */
const CHECKSUMS = ["ip", "tcp", "udp"];

const fieldsOf = (protocol: string): string[] =>
  [".status", "", "_calculated"].map((field) => `${protocol}.checksum${field}`);

function parseLine(line: string): CapturedFrame {
  const [number, length, ...checksums] = line.split("\t");
  return {
    number: Number(number),
    length: Number(length),
    isWrong: CHECKSUMS.some((_, i) => isWrong(checksums.slice(3 * i, 3 * i + 3))),
  };
}

/** tshark: PROTO_CHECKSUM_E_BAD, as versions print it. */
const BAD: readonly (string | undefined)[] = ["0", "Bad"];

/** The kernel writes ffff for 0 in TCP as well (CSUM_MANGLED_0), which adds up to the same and which tshark rejects. */
const isWrong = ([status, found, calculated]: string[]): boolean =>
  BAD.includes(status) && !(found === "0xffff" && calculated === "0x0000");
