/** The driver built into a program: a port in memory, three slaves, frames in and out. Needs no rights. */
import { DataPath, Frame, GroupTable, Port, Statistics } from "../src/driver/index.ts";
import { dump, parseIp, parseMac } from "../src/wire/index.ts";

const mac = parseMac("02:00:00:00:00:02")!;
const router = parseMac("02:00:00:00:00:01")!;
const everybody = parseMac("ff:ff:ff:ff:ff:ff")!;

const port = new Port({ mac, mode: "l2" });
const groups = new GroupTable();
const statistics = new Statistics();
const to = (place: string, f: Frame): number => {
  console.log(`  to ${place}: ${dump(f)}`);
  return 0; // or the reason for which it is lost
};
const outlets = {
  deliver: (slave: number, f: Frame) => to(`slave ${slave}`, f),
  wire: (f: Frame) => to("the wire", f),
  stack: (f: Frame) => to("the master's stack", f),
  route: (f: Frame) => to("the master's routes", f),
};
const path = new DataPath({ addresses: port.addresses, groups, statistics, outlets });
path.configure(port.settings, port.mac);

for (const ip of ["10.0.0.11", "10.0.0.12", "10.0.0.13"]) {
  const id = port.addSlave();
  port.addAddress(id, parseIp(ip)!);
  port.setUp(id, true);
  groups.set(id, []); // no multicast, but broadcast
}

function frame(src: Uint8Array, dst: Uint8Array, from: string, to: string): Frame {
  const ipv4 = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, ...parseIp(from)!, ...parseIp(to)!];
  return Frame.of(Uint8Array.of(...dst, ...src, 0x08, 0x00, ...ipv4));
}

console.log("slave 1 sends to slave 2");
path.xmit(1, frame(mac, mac, "10.0.0.11", "10.0.0.12"));
console.log("slave 1 sends to the router");
path.xmit(1, frame(mac, router, "10.0.0.11", "10.0.0.1"));
console.log("slave 1 sends to everybody");
path.xmit(1, frame(mac, everybody, "10.0.0.11", "10.0.0.255"));
while (path.flush(64)); // copies of floods wait until there is time for them
console.log("the router sends to slave 3");
path.receive(frame(router, mac, "10.0.0.1", "10.0.0.13"));

port.configure({ flag: "private" });
path.configure(port.settings, port.mac);
console.log("the port is private now, and slave 1 sends to slave 2");
path.xmit(1, frame(mac, mac, "10.0.0.11", "10.0.0.12"));
console.log(`  lost: ${JSON.stringify(statistics.read(1).drops)}`);
