#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What does a guest do with the lease that udhcpc got? As cloud images do; and it writes down what it was told.
# udhcpc sets: interface ip mask mtu router dns domain serverid staticroutes. LAB_LEASE names the file.
set -u
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip address flush dev "$interface" scope global
[ -n "${mtu:-}" ] && ip link set "$interface" mtu "$mtu"
ip address add "$ip/$mask" dev "$interface"
# RFC 3442: who is told static routes does not look at the router.
set -- ${staticroutes:-}
[ $# -eq 0 ] && [ -n "${router:-}" ] && set -- 0.0.0.0/0 "${router%% *}"
while [ $# -ge 2 ]; do
    case $2 in
    0.0.0.0) ip route append "$1" dev "$interface" ;;
    *) ip route append "$1" via "$2" dev "$interface" ;;
    esac
    shift 2
done
cat > "$LAB_LEASE.new" <<END
ip=$ip
mask=$mask
mtu=${mtu:-}
router=${router:-}
dns=${dns:-}
domain=${domain:-}
serverid=${serverid:-}
staticroutes=${staticroutes:-}
END
mv "$LAB_LEASE.new" "$LAB_LEASE"
