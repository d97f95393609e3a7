"""Network namespaces with hosts on both sides of a NAT: for demo, tests and users' own tests.

    from ratsnake import lab

    lab.enter_privileged()                        # root already, or a user namespace
    with lab.Topology() as net, lab.nat(net, "full-cone"):
        print(lab.observe(net))                   # mapping and filtering as seen from outside

Only Python and the kernel are needed (`masquerade` alone wants nft).  Everything disappears with
the process that made it, however that ends.
"""

from .contested_mapping_probe import CONTESTED_PORTS, observe_contested
from .expected_behaviour import COMBINATIONS, EXPECTED, Expectation
from .namespace import Namespace
from .namespace_privilege import PrivilegeError, enter_privileged
from .nat_probe import Observation, observe
from .probe_transport import ProbeError
from .router_nat import GatewayError, RunningNat, forward, masquerade, nat
from .topology import EXTERNAL, EXTERNAL_2, EXTERNAL_6, LAN_PREFIX, LAN_PREFIX_6, Host, Topology

__all__ = [
    "COMBINATIONS",
    "CONTESTED_PORTS",
    "EXPECTED",
    "EXTERNAL",
    "EXTERNAL_2",
    "EXTERNAL_6",
    "LAN_PREFIX",
    "LAN_PREFIX_6",
    "Expectation",
    "GatewayError",
    "Host",
    "Namespace",
    "Observation",
    "PrivilegeError",
    "ProbeError",
    "RunningNat",
    "Topology",
    "enter_privileged",
    "forward",
    "masquerade",
    "nat",
    "observe",
    "observe_contested",
]
