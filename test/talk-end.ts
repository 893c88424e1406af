/**
 * An end of a TCP connection (`talks.ts`), as a program of its own, since it runs in another namespace.
 *
 *     talk-end listen PORT         says "ready", then sends back what it is sent
 *     talk-end talk ADDRESS PORT   sends numbers until its input ends, and prints each that came back
 */
import { connect, createServer } from "node:net";

const PAUSE_MS = 2;
const NUMBER_BYTES = 4;

const [what, ...words] = process.argv.slice(2);
if (what === "listen") listen(Number(words[0]));
else talk(words[0]!, Number(words[1]));

function listen(port: number): void {
  const server = createServer((connection) => {
    connection.on("error", (error) => process.stderr.write(`${error.message}\n`));
    connection.pipe(connection);
  });
  server.listen(port, () => process.stdout.write("ready\n"));
}

function talk(host: string, port: number): void {
  let sent = 0;
  let returned = 0;
  let rest = Buffer.alloc(0);
  const connection = connect({ host, port, noDelay: true });
  const sending = setInterval(() => {
    const number = Buffer.alloc(NUMBER_BYTES);
    number.writeUInt32BE(sent++);
    connection.write(number);
  }, PAUSE_MS);
  connection.on("data", (piece) => {
    rest = Buffer.concat([rest, piece]);
    for (; rest.length >= NUMBER_BYTES; rest = rest.subarray(NUMBER_BYTES))
      if (rest.readUInt32BE() !== returned++) process.stderr.write("a number out of turn\n");
    process.stdout.write(`${returned}\n`);
  });
  connection.on("error", (error) => process.stderr.write(`${error.message}\n`));
  connection.on("close", () => {
    clearInterval(sending);
    if (returned !== sent) process.stderr.write(`${returned} of ${sent} came back\n`);
    process.stdin.destroy();
  });
  process.stdin.resume().on("end", () => {
    clearInterval(sending);
    connection.end();
  });
}
