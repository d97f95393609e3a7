"""What to type so that a firewall lets the NAT's packets pass, or leaves their source alone: in the
words of the program whose firewall it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .filter_chains import Chain, Rule, Table

_SIDES = {
    "forward": ("iifname", "oifname"),
    "prerouting": ("iifname",),
    "ingress": ("iifname",),
    "postrouting": ("oifname",),
    "egress": ("oifname",),
}
_OPTIONS = {"iifname": "-i", "oifname": "-o"}
_RELOAD = "firewall-cmd --reload"
_ZONE_CHAIN = re.compile(r"nat_POST_(.+)_allow")


@dataclass(frozen=True)
class _Place:
    """The chain that refuses or translates, in its table; `program` is "" for nftables."""

    chain: Chain
    table: Table
    program: str

    def has(self, *starts: str) -> bool:
        return any(name.startswith(starts) for name in self.table)

    def is_iptables(self) -> bool:
        """In either variant: these names are iptables' own."""
        return self.chain.family in ("ip", "ip6") and self.chain.name.isupper()


def remedies(chain: Chain, table: Table, device: str, program: str = "") -> tuple[str, ...]:
    """For packets from and to the device; `program` is the one of older iptables."""
    place = _Place(chain, table, program)
    return next(make(place, device) for fits, make in _REMEDIES if fits(place))


def without_translation(chain: str, rule: Rule, table_name: str) -> tuple[str, ...]:
    """That takes the rule out."""
    zone = _ZONE_CHAIN.fullmatch(chain)
    if table_name == "firewalld" and zone:
        return (f"firewall-cmd --permanent --zone={zone[1]} --remove-masquerade", _RELOAD)
    return (rule.removal(),)


def _firewalld_forward(place: _Place, device: str) -> tuple[str, ...]:
    return (
        f"firewall-cmd --permanent --zone=trusted --add-interface={device}",
        "firewall-cmd --permanent --new-policy=ratsnake",
        "firewall-cmd --permanent --policy=ratsnake --add-ingress-zone=ANY",
        "firewall-cmd --permanent --policy=ratsnake --add-egress-zone=trusted",
        "firewall-cmd --permanent --policy=ratsnake --set-target=ACCEPT",
        _RELOAD,
    )


def _firewalld_sources(place: _Place, device: str) -> tuple[str, ...]:
    return (
        "sed -i s/^IPv6_rpfilter=.*/IPv6_rpfilter=no/ /etc/firewalld/firewalld.conf",
        _RELOAD,
    )


def _ufw(place: _Place, device: str) -> tuple[str, ...]:
    return f"ufw route allow in on {device}", f"ufw route allow out on {device}"


def _iptables(place: _Place, device: str) -> tuple[str, ...]:
    chain = "DOCKER-USER" if place.has("DOCKER-USER") else place.chain.name
    program = place.program or {"ip": "iptables", "ip6": "ip6tables"}[place.chain.family]
    table = "" if place.chain.table == "filter" else f" -t {place.chain.table}"
    return tuple(
        f"{program}{table} -I {chain} {_OPTIONS[side]} {device} -j ACCEPT"
        for side in _SIDES[place.chain.hook or "forward"]
    )


def _nft(place: _Place, device: str) -> tuple[str, ...]:
    chain = place.chain
    return tuple(
        f'nft insert rule {chain.family} {chain.table} {chain.name} {side} "{device}" accept'
        for side in _SIDES[chain.hook or "forward"]
    )


#: Whose firewall it is and what to type for a device, the first that fits.
_REMEDIES: tuple[tuple[Callable[[_Place], bool], Callable[[_Place, str], tuple[str, ...]]], ...] = (
    (
        lambda place: place.chain.table == "firewalld" and place.chain.hook == "prerouting",
        _firewalld_sources,
    ),
    (lambda place: place.chain.table == "firewalld", _firewalld_forward),
    (lambda place: place.chain.hook == "forward" and place.has("ufw-", "ufw6-"), _ufw),
    (_Place.is_iptables, _iptables),
    (lambda place: True, _nft),
)
