/** The command as a process of its own, with a daemon that only pretends and an `ip` that is a shell script. */
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { LinkInfo } from "../src/daemon/control.ts";
import { linkInfo } from "./link-info.ts";

export const main: string = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: Record<string, unknown> | undefined;
}

export type Answer = readonly [status: number, body?: unknown];

/** As a daemon tells of it. */
export const slave: LinkInfo = linkInfo({ mode: "l3" });

/** A directory with an `ip` that tells what it was given, perhaps a daemon, and the command to try on them. */
export class Bench {
  readonly directory: string;
  readonly asked: Asked[] = [];
  server: Server | undefined;

  constructor(t: TestContext) {
    this.directory = mkdtempSync(join(tmpdir(), "ipvlan-cli-"));
    this.ip('echo "ip $*"');
    t.after(() => {
      this.server?.close();
      rmSync(this.directory, { recursive: true });
    });
  }

  /** What the system's `ip` does. */
  ip(script: string): void {
    const path = join(this.directory, "ip");
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  }

  /** A daemon for the namespace we are in, or another. */
  async daemon(
    answer: (asked: Asked) => Answer,
    inode: number = statSync("/proc/self/ns/net").ino,
  ): Promise<void> {
    const directory = join(this.directory, "run", String(inode));
    mkdirSync(directory, { recursive: true });
    this.server = createServer(async (request, response) => {
      let text = "";
      for await (const piece of request) text += piece;
      const body = text === "" ? undefined : JSON.parse(text);
      const asked = { method: request.method ?? "", path: request.url ?? "", body };
      this.asked.push(asked);
      const [status, told] = answer(asked);
      response.writeHead(status).end(told === undefined ? "" : JSON.stringify(told));
    });
    const server = this.server;
    await new Promise<void>((done) => server.listen(join(directory, "control.sock"), done));
  }

  /** A daemon that knows the slave i0 and gives one answer to whatever is to be changed. */
  daemonWithSlave(answer: Answer): Promise<void> {
    return this.daemon(({ method }) => (method === "GET" ? [200, { links: [slave] }] : answer));
  }

  /** What was asked to be changed. */
  get changes(): Asked[] {
    return this.asked.filter(({ method }) => method !== "GET");
  }

  run(line: string, script: string = main, encoding: BufferEncoding = "utf8"): Promise<Result> {
    const env = {
      PATH: `${this.directory}:/usr/bin:/bin`,
      IPVLAN_RUN: join(this.directory, "run"),
    };
    const child = spawn(process.execPath, [script, ...line.split(" ")], { env });
    const result = { out: "", err: "" };
    child.stdout.setEncoding(encoding).on("data", (piece) => {
      result.out += piece;
    });
    child.stderr.setEncoding(encoding).on("data", (piece) => {
      result.err += piece;
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve({ ...result, end: signal ?? code ?? -1 }));
    });
  }
}

export interface Result {
  readonly out: string;
  readonly err: string;
  /** Exit status, or the signal that ended it. */
  readonly end: number | string;
}

export const error = (code: string, message: string, extack?: string): unknown => ({
  error: { code, errno: 1, message, ...(extack && { extack }) },
});
