#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What does a guest do with the lease that dhcpcd got over IPv6? It has set the address; here is what it was told.
# dhcpcd sets: reason interface new_dhcp6_*. LAB_LEASE names the file.
set -u
case $reason in BOUND6 | RENEW6 | REBIND6) ;; *) exit 0 ;; esac
# DHCPv6 says an address, and a router's advertisement which others are on the line. Without a router all of the /64.
ip -6 address delete "$new_dhcp6_ia_na1_ia_addr1/128" dev "$interface"
ip -6 address add "$new_dhcp6_ia_na1_ia_addr1/64" dev "$interface" nodad
cat > "$LAB_LEASE.new" <<END
ip=$new_dhcp6_ia_na1_ia_addr1
dns=${new_dhcp6_name_servers:-}
serverid=${new_dhcp6_server_id:-}
END
mv "$LAB_LEASE.new" "$LAB_LEASE"
