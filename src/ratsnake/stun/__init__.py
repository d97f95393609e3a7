"""A STUN client (RFC 8489) that finds out which NAT is in front of this machine (RFC 5780).

`message` has the wire format, `udp_sockets` and `client` send requests and wait for responses,
`servers` turns names into addresses.  The tests are in `behaviour_discovery`, `hairpinning`,
`binding_lifetime` and `tcp_mapping`; `classification` says what their results show, `consequences`
what that means for games and peer-to-peer programs.

Nothing here needs privileges or a NAT of ours, and everything runs on any system Python runs on.
"""
