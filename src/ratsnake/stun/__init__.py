"""A STUN client (RFC 8489) that finds out which NAT is in front of this machine (RFC 5780).

`stun_message` has the wire format; `udp_sockets` and `stun_client` send requests and wait for
responses; `server_addresses` looks servers up.  The tests are in `nat_behaviour_discovery`,
`hairpinning`, `binding_lifetime` and `tcp_mapping`, and `nat_check` runs them in their order.
`nat_classification` says what the results show, `console_nat_types` what that means for games and
peer-to-peer programs.

Nothing here needs privileges or a NAT of ours, and everything runs on any system Python runs on.
"""
