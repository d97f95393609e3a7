"""The policy routing around the NAT's device, for `ratsnake run --lan IFACE`.

    LAN ──► IFACE ── rule: iif IFACE ──► table T: throw INTERNAL … (for the LAN: not ours)
                                            │     default dev DEVICE, or else unreachable
                                            ▼
                                     DEVICE ⇄ ratsnake
                                            │ main table: EXTERNAL dev DEVICE, INTERNAL, default
                                            ▼
                                     the internet, by whatever way the host has

`plan` looks at the host and answers with data: the changes in their order, each with its reason,
and warnings.  `install` applies a plan in a child process; `Installed.undo` takes it back, and
`Installed.change` makes another of it (`revision`); `foresee` only tells it.  What an external
address needs that is the host's too is in `sharing`, answering for one on the WAN's link in
`neighbours`.

EXTERNAL and INTERNAL are any number of addresses and prefixes.  IPv4 and IPv6 have rules, tables
and settings of their own, to the same plan; a family with no address or prefix is left alone.

Nothing passes untranslated.  The host begins to forward when all else is in force, and stops first
(where it did not forward before).  When the device goes, the unreachable route of T remains.

The NAT tells inside from outside by address, so the rules see to it that addresses are true:

- EXTERNAL is the source only of what comes out of DEVICE, INTERNAL with the destination EXTERNAL
  only of what comes in by IFACE or is the host's own (`iif lo`).  All else with these addresses is
  forged and thrown away.
- The kernel asks the rules for the way back too when it checks a source (`rp_filter`), as if the
  answer came in by the interface the packet is to leave by, or from `lo` if the packet is for the
  host.  What the rules refuse is therefore never the way back of something true.
- Firewalls ask too, before routing (`fib saddr . iif oif` of nftables, `rpfilter` of iptables), and
  always as if from `lo`.  Of what comes from outside for EXTERNAL the way back has the source
  EXTERNAL, so with `iif lo` that is no forgery.

The host is also a router hop in front of and behind the NAT, and reports a TTL exceeded, a packet
too big or a LAN host that does not answer.  Such an ICMP error quotes a packet as it came out of
DEVICE, so it has to go back into DEVICE for the NAT to translate it:

- `icmp_errors_use_inbound_ifaddr` = 1 makes the kernel send these errors from DEVICE's address, by
  which the rules and the NAT know them.  It is 192.0.0.8, the dummy address of RFC 7600 section 4.8
  for such errors, the same for every run: one to EXTERNAL finds its NAT by that address.
  A LAN host's traceroute shows it as the hop behind the NAT.
- `accept_local` of DEVICE = 1, or the kernel takes these errors for forged when they come out of
  DEVICE with this very host's address.

With IPv6 nothing needs to be set for that: the kernel sends an ICMPv6 error from an address of the
interface the packet came in by (since Linux 5.5), if that has one, and checks no source.  The
address is 100::8, of the discard prefix of RFC 6666, since no dummy address is like IPv4's.

The other settings of the kernel:

- `rp_filter` of DEVICE = 2.  A packet from the internet comes out of DEVICE with its remote
  source, whose way back may be another interface: a strict check (1) may drop it.  The kernel uses
  the larger of this value and `net.ipv4.conf.all.rp_filter`; 2, the largest, is loose either way.
- `ip_forward` = 1 (IPv6: `conf.all.forwarding`).  Every translated packet enters the host again
  through DEVICE and is forwarded from there.  That holds for IFACE `lo` as well (the host's own
  packets): what the host sends is output, but what DEVICE gives back is forwarded.
- `disable_ipv6` of DEVICE = 0, for hosts where a new interface has no IPv6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..kernel.kernel_state import KernelState
from ..processes.forked_call import in_child
from ..routing.routing_changes import Change
from ..routing.routing_request import Request, RoutingError
from ..routing.running_instances import may_begin_to_share, number_of
from .change_plan import Plan, plan, plan_of
from .leftovers import Leftovers, left_by, left_by_all
from .plan_update import Done, revise, undo


@dataclass(frozen=True)
class Installed:
    """Changes that are in force, each with what it replaced, in the order they were made.

    `number` is the run's (`runs`), `request` what they were made for.
    """

    number: int
    request: Request
    done: Done
    warnings: tuple[str, ...] = ()

    def undo(self) -> tuple[str, ...]:
        """Take every change back, the last first; returns a message for each that failed."""
        return in_child(_undo_all, self.done)

    def change(self, request: Request) -> tuple[Installed, tuple[str, ...]]:
        """Make of them those that `request`, of the same device, asks for, without a gap; also
        anew what the kernel forgot with an interface that has been gone.

        Returns what is in force then, and a message for each old change that could not be taken
        back.  Raises `RoutingError` with all as it was.
        """
        return in_child(_change, self, request)


def install(request: Request) -> Installed:
    """Check the host, then make every change, or none.

    Raises `RoutingError` naming the step that failed and why, after undoing those before it.
    """
    return in_child(_install, request)


@dataclass(frozen=True)
class Foreseen:
    """What `install` would remove and then change.

    Of a run that lives with that device: what its host needs, and which of it is `in_force`; else
    that is None.
    """

    left: Leftovers
    plan: Plan
    in_force: frozenset[Change] | None = None


def foresee(request: Request) -> Foreseen:
    """With nothing done; the device need not be there.

    Raises `RoutingError` when it cannot work.
    """
    return in_child(_foresee, request)


def repair() -> tuple[str, ...]:
    """Remove what killed runs left behind, of any LAN; returns the commands that would do it."""
    return in_child(_repair)


def _foresee(request: Request) -> Foreseen:
    from pyroute2 import IPRoute

    with IPRoute(strict_check=True) as netlink:
        left = left_by(netlink, request.lans, request.external_networks())
        number = number_of(netlink, request.device)
        if number is None:
            return Foreseen(left, plan(netlink, request, with_device=False, freed=left.numbers))
        wanted = plan_of(netlink, request, number)
        kernel = KernelState(netlink)
        there = frozenset(change for change in _changes(wanted) if change.in_force(kernel))
        return Foreseen(left, wanted, there)


def _repair() -> tuple[str, ...]:
    from pyroute2 import IPRoute

    with IPRoute(strict_check=True) as netlink:
        left = left_by_all(netlink)
        left.remove(netlink)
        if failures := left.remove_guards(netlink):
            raise RoutingError("; ".join(failures))
    return tuple(map(str, left.all()))


def _install(request: Request) -> Installed:
    from pyroute2 import IPRoute

    with IPRoute(strict_check=True) as netlink:
        left = left_by(netlink, request.lans, request.external_networks())
        left.remove(netlink)
        wanted = plan(netlink, request)
        done, _ = revise(netlink, (), _changes(wanted))
        failures = left.remove_guards(netlink, _changes(wanted))
    return Installed(wanted.number, request, done, (*wanted.warnings, *failures))


def _change(installed: Installed, request: Request) -> tuple[Installed, tuple[str, ...]]:
    from pyroute2 import IPRoute

    old = installed.request
    if request.device != old.device:
        raise RoutingError(f"--device {request.device}: is {old.device} as long as this NAT runs")
    with IPRoute(strict_check=True) as netlink:
        # Its device may be gone for a moment, or for good: it is not dead.
        left = left_by(netlink, request.lans, request.external_networks(), installed.number)
        left.remove(netlink)
        begins = bool(request.shared) and not old.shared
        if begins and not may_begin_to_share(netlink, installed.number):
            raise RoutingError(
                "--share-address: no rule priorities are free for it; stop this NAT and start it"
            )
        wanted = plan_of(netlink, request, installed.number)
        done, failures = revise(netlink, installed.done, _changes(wanted))
        failures += left.remove_guards(netlink, _changes(wanted))
    return replace(installed, request=request, done=done, warnings=wanted.warnings), failures


def _changes(wanted: Plan) -> tuple[Change, ...]:
    return tuple(step.change for step in wanted.steps)


def _undo_all(done: Done) -> tuple[str, ...]:
    from pyroute2 import IPRoute

    with IPRoute(strict_check=True) as netlink:
        return undo(netlink, done)
