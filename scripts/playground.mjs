/** `npm run playground`: serves dist/playground on this machine, at PORT, or at one that is free. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../dist/playground/", import.meta.url));
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};
const FILES = ["index.html", "style.css", "playground.js", "icon.svg"];
const PORT_MAX = 65_535;

const port = Number(process.env.PORT ?? 0);
if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) {
  console.error(`PORT is a number up to ${PORT_MAX}, not "${process.env.PORT}"`);
  process.exit(1);
}

const server = createServer(({ url = "/", method }, response) => {
  const path = url.split("?")[0];
  const name = path === "/" ? "index.html" : path.slice(1);
  if ((method !== "GET" && method !== "HEAD") || !FILES.includes(name)) {
    response.writeHead(404, { "content-type": "text/plain" }).end("There is no such page.\n");
    return;
  }
  response.writeHead(200, { "content-type": TYPES[extname(name)], "cache-control": "no-cache" });
  response.end(method === "HEAD" ? undefined : readFileSync(join(folder, name)));
});
server.on("error", ({ message }) => {
  console.error(`The playground cannot be served: ${message}`);
  process.exitCode = 1;
});
server.listen(port, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
