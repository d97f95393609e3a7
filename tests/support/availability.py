"""External addresses that are lost and come back: a setting of the NAT that takes over."""

from dataclasses import replace

from .site import Site

SEED = bytes(range(100, 180))


def become(site: Site, **availability: tuple[str, ...]) -> None:
    """Another NAT takes over; the addresses named are LOST or GIVEN_UP for it, the others there."""
    kinds = site.engine.modules["nat.settings.setting_types"].Availability
    of = {address: kinds[kind] for kind, named in availability.items() for address in named}
    externals = tuple(
        replace(one, availability=of.get(str(one.address), kinds.PRESENT))
        for one in site.settings.externals
    )
    site.settings = replace(site.settings, externals=externals)
    successor = site.engine.Nat(site.settings, SEED)
    sessions = site.nat.usage()["sessions"]
    moved = site.engine.modules["nat.handover.flow_transfer"].transfer(
        site.nat, successor, site.now
    )
    assert (moved.kept, moved.ended) == (sessions, 0)
    site.nat = successor
