# The IPVLAN HOWTO's example: two namespaces on one host, slaves of eth0.
#   ipvlan sim examples/howto.sh
IPADDR0=10.0.0.10/24
IPADDR1=10.0.0.11/24
ROUTER=10.0.0.1

ip netns add ns0
ip netns add ns1
ip link add link eth0 ipvl0 type ipvlan mode l2
ip link add link eth0 ipvl1 type ipvlan mode l2
ip link set dev ipvl0 netns ns0
ip link set dev ipvl1 netns ns1

ip netns exec ns0 bash
  ip link set dev ipvl0 up
  ip link set dev lo up
  ip -4 addr add 127.0.0.1 dev lo
  ip -4 addr add $IPADDR0 dev ipvl0
  ip -4 route add default via $ROUTER dev ipvl0
exit

ip netns exec ns1 bash
  ip link set dev ipvl1 up
  ip link set dev lo up
  ip -4 addr add 127.0.0.1 dev lo
  ip -4 addr add $IPADDR1 dev ipvl1
  ip -4 route add default via $ROUTER dev ipvl1
exit

ip netns exec ns0 ping -c 1 10.0.0.11
ip netns exec ns1 ping -c 1 $ROUTER
