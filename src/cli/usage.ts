/** The texts of help. */

/** Behind `type ipvlan`; iproute2's own words. */
export const ipvlanUsage = `Usage: ... ipvlan [ mode MODE ] [ FLAGS ]

MODE: l3 | l3s | l2
FLAGS: bridge | private | vepa
(first values are the defaults if nothing is specified).`;

export const usage = `Usage: ipvlan [ OPTIONS ] link add link MASTER [ name ] NAME [ up ] [ mtu MTU ]
                             [ netns { NAME | PID } ] type ipvlan [ mode MODE ] [ FLAG ]
       ipvlan [ OPTIONS ] link set [ dev ] NAME type ipvlan [ mode MODE ] [ FLAG ]
       ipvlan [ OPTIONS ] link delete [ dev ] NAME
       ipvlan [ OPTIONS ] link [ show [ dev ] NAME | show type ipvlan ]
       ipvlan [ OPTIONS ] status
       ipvlan [ OPTIONS ] port show
       ipvlan [ OPTIONS ] port set MASTER compat { howto | kernel }
       ipvlan [ OPTIONS ] daemon { run | stop [ --remove ] }
       ipvlan { help | --help | --version }

MODE    := { l3 | l3s | l2 }               l3 on a new port, as it was on one that exists
FLAG    := { bridge | private | vepa }     bridge on a new port, as it was on one that exists
OPTIONS := { -n[etns] NAME | -d[etails] | -j[son] | -p[retty] | -br[ief] | -o[neline] | ... }

Mode and flag belong to the port, that is the master: a change concerns all its slaves.
Every other line goes to the system's "ip", with its output and exit status.`;
