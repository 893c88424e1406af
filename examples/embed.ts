/** The driver built into a program: a port in memory, three slaves, frames in and out. Needs no rights. */
import { DataPath, Frame, GroupTable, Port, Statistics } from "ipvlan";
import { dump, parseIp, parseMac } from "ipvlan/wire";

const [own, router, all] = ["02:00:00:00:00:02", "02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff"] as const;
const port = new Port({ mac: parseMac(own)!, mode: "l2" });
const groups = new GroupTable();
const statistics = new Statistics();
const arrive = (place: string, f: Frame): number => {
  console.log(`  at ${place}: ${dump(f)}`);
  return 0; // or the reason for which it is lost
};
const outlets = {
  deliver: (slave: number, f: Frame) => arrive(`slave ${slave}`, f),
  wire: (f: Frame) => arrive("the wire", f),
  stack: (f: Frame) => arrive("the master's stack", f),
  route: (f: Frame) => arrive("the master's routes", f),
};
const path = new DataPath({ addresses: port.addresses, groups, statistics, outlets });
path.configure(port.settings, port.mac);
for (const ip of ["10.0.0.11", "10.0.0.12", "10.0.0.13"]) {
  const id = port.addSlave();
  port.addAddress(id, parseIp(ip)!);
  port.setUp(id, true);
  groups.set(id, []); // no multicast, but broadcast
}
const frame = (src: string, dst: string, from: string, to: string): Frame => {
  const ipv4 = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, ...parseIp(from)!, ...parseIp(to)!];
  return Frame.of(Uint8Array.of(...parseMac(dst)!, ...parseMac(src)!, 0x08, 0x00, ...ipv4));
};

path.xmit(1, frame(own, own, "10.0.0.11", "10.0.0.12"));
path.xmit(1, frame(own, all, "10.0.0.11", "10.0.0.255"));
while (path.flush(64)); // copies of floods wait until there is time for them
path.receive(frame(router, own, "10.0.0.1", "10.0.0.13"));
path.configure({ ...port.settings, flag: "private" }, port.mac);
path.xmit(1, frame(own, own, "10.0.0.11", "10.0.0.12"));
console.log(`slave 1 lost: ${JSON.stringify(statistics.read(1).drops)}`);
