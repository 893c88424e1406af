# Completion of ipvlan(8) for fish. The rules are those of ipvlan.bash, in the same order.

function __ipvlan_candidates
    set -l words (commandline -opc)[2..-1]
    set -g __ipvlan_netns
    while string match -q -- '-*' $words[1]
        switch $words[1]
            case -n -netns -b -batch -f -family
                string match -q -- '-n*' $words[1]; and set __ipvlan_netns -n $words[2]
                set -e words[1..2]
            case '*'
                set -e words[1]
        end
    end
    set -l object (__ipvlan_full "$words[1]" link address monitor)
    switch "$object"
        case link address monitor port status daemon docker install uninstall sim
            __ipvlan_$object $words[2..-1]
        case ''
            __ipvlan_say address daemon docker help install link monitor port sim status uninstall
            __ipvlan_as_ip $words
        case '*'
            __ipvlan_as_ip $words
    end
end

# What fish says of the system's ip.
function __ipvlan_as_ip
    complete -C (string join ' ' -- ip (string escape -- $argv) (commandline -ct))
end

function __ipvlan_link
    set -l last $argv[-1]
    set -l verb (__ipvlan_full "$argv[1]" add set delete show lst list)
    if string match -q '* type ipvlan *' -- " $argv "
        switch $verb:$last
            case '*:mode'
                __ipvlan_say l2 l3 l3s
            case 'add:*' 'set:*'
                __ipvlan_say bridge mode private vepa
        end
        return
    end
    switch "$verb:$last"
        case '*:type'
            __ipvlan_say ipvlan
        case '*:netns'
            __ipvlan_namespaces
        case '*:name' '*:mtu'
        case add:link
            __ipvlan_devices
        case delete:dev
            __ipvlan_slaves
        case '*:dev'
            __ipvlan_devices
        case '*'
            __ipvlan_link_words "$verb" (count $argv)
    end
end

function __ipvlan_link_words -a verb count
    switch "$verb:$count"
        case ':*'
            __ipvlan_say add delete help set show
        case 'add:*'
            __ipvlan_say link mtu name netns type up
        case set:1
            __ipvlan_say dev (__ipvlan_devices)
        case 'set:*'
            __ipvlan_say down mtu name netns type up
        case delete:1
            __ipvlan_say dev (__ipvlan_slaves)
        case show:1 lst:1 list:1
            __ipvlan_say dev type up (__ipvlan_devices)
    end
end

function __ipvlan_address
    set -l verb (__ipvlan_full "$argv[1]" add change replace delete show lst list flush)
    switch "$verb:$argv[-1]:"(count $argv)
        case ':*'
            __ipvlan_say add change delete flush help replace show
        case '*:dev:*'
            __ipvlan_devices
        case '*:type:*'
            __ipvlan_say ipvlan
        case 'show:*:1' 'lst:*:1' 'list:*:1' 'flush:*:1'
            __ipvlan_say dev type up (__ipvlan_devices)
        case 'show:*' 'lst:*' 'list:*' 'flush:*' '*:1'
        case '*'
            __ipvlan_say broadcast dev label nodad scope
    end
end

function __ipvlan_monitor
    __ipvlan_say address all label link neigh netns route rule
end

function __ipvlan_port
    switch "$argv[1]:$argv[-1]"
        case :
            __ipvlan_say help set show
        case 'show:*'
            __ipvlan_say -j
        case set:set
            __ipvlan_say dev (__ipvlan_masters)
        case set:dev
            __ipvlan_masters
        case set:compat
            __ipvlan_say howto kernel
        case set:engine
            __ipvlan_say auto ebpf userspace
        case 'set:*'
            __ipvlan_say compat engine
    end
end

function __ipvlan_status
    __ipvlan_say -j help
end

function __ipvlan_daemon
    switch "$argv"
        case ''
            __ipvlan_say help run stop
        case run
            __ipvlan_say --engine
        case 'run --engine'
            __ipvlan_say auto ebpf userspace
        case stop
            __ipvlan_say --remove
    end
end

function __ipvlan_docker
    test "$argv" = ''; and __ipvlan_say help run
end

function __ipvlan_install
    switch (count $argv):"$argv[-1]"
        case '0:*'
            __ipvlan_say cni docker help systemd
        case 1:help
        case '1:*'
            __ipvlan_say --root
        case 2:--root
            __fish_complete_directories (commandline -ct)
    end
end

function __ipvlan_sim
    switch "$argv:"(commandline -ct)
        case ':-*'
            __ipvlan_say --explain
        case ':*' '--explain:*'
            __fish_complete_path (commandline -ct)
    end
end

function __ipvlan_uninstall
    __ipvlan_install $argv
end

# The first of the names that begins with the word, as iproute2 resolves what is shortened; if none does, the word.
function __ipvlan_full -a word
    for name in $argv[2..-1]
        if test -n "$word"; and string match -q -- "$word*" $name
            echo $name
            return
        end
    end
    echo $word
end

function __ipvlan_say
    printf '%s\n' $argv
end

function __ipvlan_namespaces
    ip netns list 2>/dev/null | string replace -r ' .*' ''
end

function __ipvlan_devices
    ip $__ipvlan_netns -brief link show 2>/dev/null | string replace -r '[@ ].*' '' | string match -v -r '^(ipvlup|s\d+\.\d)'
end

function __ipvlan_slaves
    ipvlan $__ipvlan_netns -brief link show type ipvlan 2>/dev/null | string replace -r '[@ ].*' ''
end

function __ipvlan_masters
    ipvlan $__ipvlan_netns port show 2>/dev/null | string replace -r ': .*' ''
end

complete -c ipvlan -f -a '(__ipvlan_candidates)'
complete -c ipvlan -n __fish_is_first_token -s 4 -d 'IPv4 only'
complete -c ipvlan -n __fish_is_first_token -s 6 -d 'IPv6 only'
complete -c ipvlan -o netns -s n -x -a '(__ipvlan_namespaces)' -d 'In the network namespace of this name'
complete -c ipvlan -o batch -s b -rF -d 'Commands from a file'
complete -c ipvlan -o family -s f -x -a 'inet inet6 link' -d 'Addresses of this family'
complete -c ipvlan -o brief -d 'A line per device, in columns'
complete -c ipvlan -o details -s d -d 'With mode and flag'
complete -c ipvlan -o force -d 'A batch goes on after errors'
complete -c ipvlan -o json -s j -d 'As JSON'
complete -c ipvlan -o oneline -s o -d 'A line per device'
complete -c ipvlan -o pretty -s p -d 'JSON that people can read'
complete -c ipvlan -o statistics -s s -d 'With counters'
complete -c ipvlan -l help -d 'What can be typed'
complete -c ipvlan -l version -d 'Version'
