# Completion of ipvlan(8) for bash. _ipvlan (zsh) and ipvlan.fish follow the same rules; one table tests all three.

_ipvlan() {
  local current=${COMP_WORDS[COMP_CWORD]} found status
  found=$(_ipvlan_candidates "${COMP_WORDS[@]:1:COMP_CWORD-1}")
  status=$?
  mapfile -t COMPREPLY < <(compgen -W "$found" -- "$current")
  ((status == 0)) || _ipvlan_as_ip "$current" "${COMP_WORDS[COMP_CWORD - 1]}"
}

# Adds what bash-completion, if it is there, says of the system's ip.
_ipvlan_as_ip() { # CURRENT PREVIOUS
  local ours=("${COMPREPLY[@]}")
  COMPREPLY=()
  complete -p ip &>/dev/null || _completion_loader ip &>/dev/null
  [[ $(complete -p ip 2>/dev/null) =~ -F\ ([^ ]+) ]] && "${BASH_REMATCH[1]}" ip "$1" "$2"
  COMPREPLY=("${ours[@]}" "${COMPREPLY[@]}")
}

# What may stand behind these words. Fails where the system's ip may know more.
_ipvlan_candidates() { # WORD...
  local object netns=()
  while [[ ${1-} == -* ]]; do
    case $1 in
      -n | -netns | -b | -batch | -f | -family)
        (($# == 1)) && { _ipvlan_option "$1"; return 0; }
        [[ $1 == -n* ]] && netns=(-n "$2")
        shift 2
        ;;
      *) shift ;;
    esac
  done
  (($# == 0)) && { _ipvlan_start; return 1; }
  object=$(_ipvlan_full "$1" link address monitor)
  shift
  case $object in
    link | address | monitor | port | status | daemon | docker | install | uninstall | sim) "_ipvlan_$object" "$@" ;;
    *) return 1 ;;
  esac
  return 0
}

_ipvlan_option() {
  case $1 in
    -n*) _ipvlan_namespaces ;;
    -b*) compgen -f -- "$current" ;;
    -f*) _ipvlan_say inet inet6 link ;;
  esac
}

_ipvlan_start() {
  case $current in
    -*) _ipvlan_say -4 -6 -batch -brief -details -family -force -json -netns -oneline -pretty -statistics --help --version ;;
    *) _ipvlan_say address daemon docker help install link monitor port sim status uninstall ;;
  esac
}

_ipvlan_link() {
  local last=${*: -1} verb
  verb=$(_ipvlan_full "${1-}" add set delete show lst list)
  if [[ " $* " == *" type ipvlan "* ]]; then
    case $verb:$last in
      *:mode) _ipvlan_say l2 l3 l3s ;;
      add:* | set:*) _ipvlan_say bridge mode private vepa ;;
    esac
    return
  fi
  case $verb:$last in
    *:type) _ipvlan_say ipvlan ;;
    *:netns) _ipvlan_namespaces ;;
    *:name | *:mtu) ;;
    add:link) _ipvlan_devices ;;
    delete:dev) _ipvlan_slaves ;;
    *:dev) _ipvlan_devices ;;
    *) _ipvlan_link_words "$verb" $# ;;
  esac
}

_ipvlan_link_words() { # VERB COUNT
  case $1:$2 in
    :*) _ipvlan_say add delete help set show ;;
    add:*) _ipvlan_say link mtu name netns type up ;;
    set:1) _ipvlan_say dev $(_ipvlan_devices) ;;
    set:*) _ipvlan_say down mtu name netns type up ;;
    delete:1) _ipvlan_say dev $(_ipvlan_slaves) ;;
    show:1 | lst:1 | list:1) _ipvlan_say dev type up $(_ipvlan_devices) ;;
  esac
}

_ipvlan_address() {
  local last=${*: -1} verb
  verb=$(_ipvlan_full "${1-}" add change replace delete show lst list flush)
  case $verb:$last:$# in
    :*) _ipvlan_say add change delete flush help replace show ;;
    *:dev:*) _ipvlan_devices ;;
    *:type:*) _ipvlan_say ipvlan ;;
    show:*:1 | lst:*:1 | list:*:1 | flush:*:1) _ipvlan_say dev type up $(_ipvlan_devices) ;;
    show:* | lst:* | list:* | flush:* | *:1) ;;
    *) _ipvlan_say broadcast dev label nodad scope ;;
  esac
}

_ipvlan_monitor() {
  _ipvlan_say address all label link neigh netns route rule
}

_ipvlan_port() {
  case $# in
    0) _ipvlan_say help set show ;;
    *) case $1:${*: -1} in
      show:*) _ipvlan_say -j ;;
      set:set) _ipvlan_say dev $(_ipvlan_masters) ;;
      set:dev) _ipvlan_masters ;;
      set:compat) _ipvlan_say howto kernel ;;
      set:engine) _ipvlan_say auto ebpf userspace ;;
      set:*) _ipvlan_say compat engine ;;
    esac ;;
  esac
}

_ipvlan_status() {
  _ipvlan_say -j help
}

_ipvlan_daemon() {
  case $*: in
    :) _ipvlan_say help run stop ;;
    run:) _ipvlan_say --engine ;;
    "run --engine:") _ipvlan_say auto ebpf userspace ;;
    stop:) _ipvlan_say --remove ;;
  esac
}

_ipvlan_docker() {
  (($#)) || _ipvlan_say help run
}

_ipvlan_install() {
  case $#:${*: -1} in
    0:*) _ipvlan_say cni docker help systemd ;;
    1:help) ;;
    1:*) _ipvlan_say --root ;;
    2:--root) compgen -d -- "$current" ;;
  esac
}

_ipvlan_sim() {
  case $#:${1-}:$current in
    0::-*) _ipvlan_say --explain ;;
    0:* | 1:--explain:*) compgen -f -- "$current" ;;
  esac
}

_ipvlan_uninstall() {
  _ipvlan_install "$@"
}

# The first of the names that begins with the word, as iproute2 resolves what is shortened; if none does, the word.
_ipvlan_full() { # WORD NAME...
  local word=$1 name
  shift
  for name in "$@"; do
    [[ -n $word && $name == "$word"* ]] && word=$name && break
  done
  echo "$word"
}

_ipvlan_say() {
  printf '%s\n' "$@"
}

_ipvlan_namespaces() {
  ip netns list 2>/dev/null | cut -d ' ' -f 1
}

_ipvlan_devices() {
  ip "${netns[@]}" -brief link show 2>/dev/null | sed 's/[@ ].*//; /^ipvlup/d; /^s[0-9]*[.][0-9]/d'
}

_ipvlan_slaves() {
  ipvlan "${netns[@]}" -brief link show type ipvlan 2>/dev/null | sed 's/[@ ].*//'
}

_ipvlan_masters() {
  ipvlan "${netns[@]}" port show 2>/dev/null | sed 's/: .*//'
}

complete -F _ipvlan ipvlan
