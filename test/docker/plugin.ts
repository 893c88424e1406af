/** The plugin socket, for tests that ask in dockerd's place. */
import { request } from "node:http";
import { connect, type Socket } from "node:net";

export const SOCKET = "/run/docker/plugins/ipvl.sock";

/** What the driver answers to a method; a refusal is an error. */
export async function ask<Answer extends object>(method: string, body: object): Promise<Answer> {
  const { text } = await post(`/NetworkDriver.${method}`, JSON.stringify(body));
  const answer = JSON.parse(text) as Answer & { readonly Err?: string };
  if (answer.Err !== undefined) throw new Error(`${method}: ${answer.Err}`);
  return answer;
}

/** As dockerd asks: without a content type. */
export function post(path: string, body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: SOCKET, path, method: "POST" });
    asked.on("error", reject).on("response", async (response) => {
      let text = "";
      for await (const piece of response.setEncoding("utf8")) text += piece;
      resolve({ status: response.statusCode!, text });
    });
    asked.end(body);
  });
}

/** Writes bytes, HTTP or not, and gives the first bytes of the answer. */
export function writeRaw(bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(SOCKET, () => socket.write(bytes));
    socket.once("data", (answer) => {
      socket.destroy();
      resolve(answer.toString());
    });
    socket.once("error", reject).once("close", () => reject(new Error("closed without an answer")));
  });
}

/** Begins a request and leaves it at that; whoever called this destroys the connection. */
export function askByHalves(): Promise<Socket> {
  const half = 'POST /NetworkDriver.Join HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"Netw';
  return new Promise((resolve, reject) => {
    const socket = connect(SOCKET, () => socket.write(half, () => resolve(socket)));
    socket.on("error", reject);
  });
}
