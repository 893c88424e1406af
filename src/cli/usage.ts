/** The texts of help. */

const usage = `Usage: ipvlan [ OPTIONS ] link add link MASTER [ name ] NAME [ up ] [ mtu MTU ]
                             [ netns { NAME | PID } ] type ipvlan [ mode MODE ] [ FLAG ]
       ipvlan [ OPTIONS ] link set [ dev ] NAME type ipvlan [ mode MODE ] [ FLAG ]
       ipvlan [ OPTIONS ] link delete [ dev ] NAME
       ipvlan [ OPTIONS ] { link | addr } [ show [ dev ] NAME | show type ipvlan ]
       ipvlan [ OPTIONS ] addr { add | change | replace } ADDRESS dev NAME
       ipvlan [ OPTIONS ] monitor [ link | addr | ... ]
       ipvlan [ OPTIONS ] [ -force ] -batch FILE
       ipvlan [ OPTIONS ] status
       ipvlan [ OPTIONS ] port show
       ipvlan [ OPTIONS ] port set MASTER [ compat { howto | kernel } ] [ engine ENGINE ]
       ipvlan [ OPTIONS ] daemon { run [ --engine ENGINE ] | stop [ --remove ] }
       ipvlan [ -n NAME ] docker run
       ipvlan sim [ --explain ] [ FILE ]
       ipvlan { install | uninstall } { cni | docker | systemd } [ --root DIR ]
       ipvlan { port | status | daemon | docker | install | sim } help
       ipvlan { help | --help | --version }

MODE    := { l3 | l3s | l2 }               l3 on a new port, as it was on one that exists
FLAG    := { bridge | private | vepa }     bridge on a new port, as it was on one that exists
ENGINE  := { auto | ebpf | userspace }     auto: ebpf where the kernel allows it
OPTIONS := { -n[etns] NAME | -d[etails] | -j[son] | -p[retty] | -br[ief] | -o[neline] | ... }

Mode and flag belong to the port, that is the master: a change concerns all its slaves.
Every other line goes to the system's "ip", with its output and exit status.`;

const portSetUsage = `Usage: ipvlan [ -n NAME ] port set [ dev ] MASTER [ compat { howto | kernel } ]
                                               [ engine { auto | ebpf | userspace } ]

howto      what the HOWTO promises: private and vepa keep floods apart, too; forged MACs are
           dropped; what is not said stays as it is
kernel     what Linux does instead, where that can be done outside the kernel

ebpf       frames are moved in the kernel, by programs at tc; the daemon may end
userspace  frames are moved by the daemon
auto       ebpf where the kernel allows it, else userspace; slaves and connections live
           through a change`;

const portUsage = `Usage: ipvlan [ -n NAME ] port [ show ] [ -j ]
       ipvlan [ -n NAME ] port set [ dev ] MASTER [ compat { howto | kernel } ]
                                               [ engine { auto | ebpf | userspace } ]

A port is a master with its slaves, by the name of the master.`;

const statusUsage = `Usage: ipvlan [ -n NAME ] status [ -j ]

Ports, slaves, addresses, conflicts, and why frames were dropped.`;

const daemonUsage = `Usage: ipvlan [ -n NAME ] daemon run [ --engine { auto | ebpf | userspace } ]
       ipvlan [ -n NAME ] daemon stop [ --remove ]

run   serves this network namespace, or the one of -n; "link add" starts it by itself.
      The engine of its ports is what --engine says, or IPVLAN_ENGINE, or auto
stop  leaves the slaves for the next daemon; with --remove it takes them away`;

const dockerUsage = `Usage: ipvlan [ -n NAME ] docker run

Serves the dockerd of this network namespace, or of the one of -n: the driver of
"docker network create -d ipvl".`;

const installUsage = `Usage: ipvlan install { cni | docker | systemd } [ --root DIR ]
       ipvlan uninstall { cni | docker | systemd } [ --root DIR ]

cni      the plugin "ipvlan" for containerd, podman, CRI-O and the kubelet: /opt/cni/bin and
         /usr/local/libexec/cni; a plugin of that name that is there is kept as ipvlan.kernel
docker   the service ipvlan-docker: the driver of "docker network create -d ipvl"
systemd  the daemon's service and socket
DIR      in place of /, for an image that is built

uninstall takes away what install put there, unless it has been changed since.`;

const simUsage = `Usage: ipvlan sim [ --explain ] [ FILE ]

Runs a script or a scenario on a simulated host, with the driver's own rules and no kernel: ip,
bridge, tc, ping, arping, tcpdump, nft, iptables, conntrack, socat, sysctl, sleep. Without FILE it
is what is typed or piped in.

host       where it begins: eth0 10.0.0.2/24 fd00::2/64
lan        the router beyond eth0: w0 10.0.0.1/24 fd00::1/64
--explain  tells of each frame what each port decides, by which rules, and where frames end`;

type Level = "all" | "port" | "port set" | "status" | "daemon" | "docker" | "install" | "sim";

/** What somebody may ask for. */
export type Text = Level | "version";

export const usages: Readonly<Record<Level, string>> = {
  all: usage,
  port: portUsage,
  "port set": portSetUsage,
  status: statusUsage,
  daemon: daemonUsage,
  docker: dockerUsage,
  install: installUsage,
  sim: simUsage,
};
