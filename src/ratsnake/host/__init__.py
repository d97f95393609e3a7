"""What the host needs around the TUN device: policy routing, routes and sysctls, undone on exit.

Nothing here looks at packets.  pyroute2 is imported only inside a short-lived child process
(`child.in_child`), because importing it would add some 20 MB to the NAT's resident memory.
"""
