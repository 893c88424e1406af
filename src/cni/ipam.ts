/** Hands work to the IPAM plugin: a program along CNI_PATH, with our environment and our stdin. */
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { CniError, CODE, failure } from "./errors.ts";
import { isObject, type JsonObject, parseJson } from "./json.ts";
import type { Command } from "./request.ts";

/** One that takes longer is killed, with all that it started. */
const IPAM_MS_MAX = 30_000;
/** To take back what may have hung already. */
const UNDO_MS_MAX = 5000;

/** What it prints, if it prints something. */
export async function askIpam(
  name: string,
  command: Command,
  text: string,
  limitMs: number = IPAM_MS_MAX,
): Promise<JsonObject> {
  const { status, stdout, stderr } = await run(findPlugin(name), name, command, text, limitMs);
  if (status !== 0) throw refusal(stdout, stderr, status);
  if (stdout === "") return {};
  const said = parseJson(stdout, CODE.other, `IPAM plugin ${name}`);
  if (!isObject(said)) throw failure(`IPAM plugin ${name}: not a result: ${stdout}`);
  return said;
}

/** Takes back an ADD that came to nothing. */
export const undoIpam = async (name: string, text: string): Promise<void> => {
  await askIpam(name, "DEL", text, UNDO_MS_MAX);
};

function findPlugin(name: string): string {
  if (name === "") throw failure("no plugin name provided");
  if (name.includes("/")) throw failure(`invalid plugin name: ${name}`);
  const folders = (process.env.CNI_PATH ?? "").split(":").filter((folder) => folder !== "");
  const found = folders
    .map((folder) => join(folder, name))
    .find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  if (found !== undefined) return found;
  throw failure(`failed to find plugin ${JSON.stringify(name)} in path [${folders.join(" ")}]`);
}

interface Ended {
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  path: string,
  name: string,
  command: Command,
  text: string,
  limitMs: number,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, [], {
      env: { ...process.env, CNI_COMMAND: command },
      detached: true, // a group of its own, so that it can be ended as a whole
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (piece) => {
      stdout += piece;
    });
    child.stderr.setEncoding("utf8").on("data", (piece) => {
      stderr += piece;
    });
    const limit = setTimeout(() => {
      process.kill(-child.pid!, "SIGKILL");
      child.stdout.destroy();
      child.stderr.destroy();
      reject(failure(`IPAM plugin ${name} has not answered in ${limitMs / 1000} s`));
    }, limitMs);
    child.once("error", (error) => {
      clearTimeout(limit);
      reject(failure(`IPAM plugin ${name}: ${error.message}`));
    });
    child.once("close", (code, signal) => {
      clearTimeout(limit);
      resolve({ status: code ?? signal!, stdout, stderr });
    });
    child.stdin.on("error", () => {}); // it may end without having read
    child.stdin.end(text);
  });
}

/** Its own error, which may be of another code; or what else there is to tell. */
function refusal(stdout: string, stderr: string, status: number | string): CniError {
  if (stdout === "")
    return failure(
      stderr === ""
        ? `netplugin failed with no error message: exit status ${status}`
        : `netplugin failed: ${JSON.stringify(stderr)}`,
    );
  try {
    const { code, msg, details } = JSON.parse(stdout) as Record<string, unknown>;
    return new CniError(
      Number.isSafeInteger(code) ? (code as number) : CODE.other,
      String(msg ?? ""),
      typeof details === "string" ? details : undefined,
    );
  } catch {
    return failure(
      `netplugin failed but error parsing its diagnostic message ${JSON.stringify(stdout)}`,
    );
  }
}
