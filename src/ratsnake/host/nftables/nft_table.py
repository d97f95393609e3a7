"""A table of nftables of a run's own: what the kernel has of it, and how it comes and goes."""

from __future__ import annotations

import errno
from collections.abc import Collection, Mapping, Sequence

from .nft_expressions import same
from .nft_messages import (
    Flag,
    Message,
    Part,
    attempt,
    attribute,
    attributes,
    commit,
    dump,
    text,
    word,
)

_ACCEPT = 1  # NF_ACCEPT
_DORMANT = 1  # NFT_TABLE_F_DORMANT
# NFTA_TABLE_…, NFTA_CHAIN_…, NFTA_RULE_…: each names its table first
_TABLE, _TABLE_FLAGS, _CHAIN_NAME, _CHAIN_HOOK, _RULE_CHAIN, _EXPRESSIONS = 1, 2, 3, 4, 2, 4
#: What a kernel says that lacks nf_tables, or an expression.
_LACKING = (
    errno.ENOENT,
    errno.EOPNOTSUPP,
    errno.EPROTONOSUPPORT,
    errno.EAFNOSUPPORT,
    errno.EINVAL,
)


def made_anew(table: str) -> tuple[Part, ...]:
    """The first parts of a batch: the table is there and has nothing, whatever there was."""
    name = text(_TABLE, table)
    return (
        (Message.NEWTABLE, Flag.CREATE, name),
        (Message.DELTABLE, Flag.NOTHING, name),
        (Message.NEWTABLE, Flag.CREATE, name),
    )


def chain(table: str, name: str, hook: tuple[int, int] | None = None) -> Part:
    """A chain; `hook` is NF_INET_… and the priority of one that packets come to by themselves."""
    data = text(_TABLE, table) + text(_CHAIN_NAME, name)
    if hook is not None:
        number, priority = hook
        data += attribute(_CHAIN_HOOK, word(1, number) + word(2, priority))
        data += word(5, _ACCEPT) + text(7, "filter")
    return Message.NEWCHAIN, Flag.CREATE, data


def rule(table: str, chain_: str, expressions: bytes) -> Part:
    """A rule behind those that the chain has."""
    data = text(_TABLE, table) + text(_RULE_CHAIN, chain_) + attribute(_EXPRESSIONS, expressions)
    return Message.NEWRULE, Flag.APPEND, data


def remove(table: str) -> None:
    """Whether it is there or not; raises OSError."""
    try:
        commit([(Message.DELTABLE, Flag.NOTHING, text(_TABLE, table))])
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def lack(parts: Sequence[Part]) -> str | None:
    """Why this kernel cannot have it, None if it can; nothing is changed."""
    try:
        attempt(parts)
    except OSError as error:
        if error.errno in _LACKING:
            return str(error.strerror)
    return None


def names() -> list[str]:
    """All tables of the family inet, ours and others'; none where there is no nf_tables, or no
    privilege."""
    try:
        return [_name(dict(attributes(one)), _TABLE) for one in dump(Message.GETTABLE)]
    except OSError:
        return []


def rules(table: str) -> dict[str, list[bytes]]:
    """The expressions of each rule, by chain, in their order.  Raises OSError."""
    found: dict[str, list[bytes]] = {}
    for one in map(dict, map(attributes, dump(Message.GETRULE, text(_TABLE, table)))):
        if _name(one, _TABLE) == table:  # an old kernel tells all tables' rules
            found.setdefault(_name(one, _RULE_CHAIN), []).append(one.get(_EXPRESSIONS, b""))
    return found


def is_in_force(table: str, wanted: Mapping[str, Sequence[bytes]], hooked: Collection[str]) -> bool:
    """Whether the kernel has the table with these rules and nothing else, and packets come to the
    chains that are `hooked`.  Raises OSError."""
    tables = map(dict, map(attributes, dump(Message.GETTABLE)))
    if not any(
        _name(one, _TABLE) == table
        and not int.from_bytes(one.get(_TABLE_FLAGS, b""), "big") & _DORMANT
        for one in tables
    ):
        return False
    chains = map(dict, map(attributes, dump(Message.GETCHAIN, text(_TABLE, table))))
    hooks = [
        _name(one, _CHAIN_NAME)
        for one in chains
        if _name(one, _TABLE) == table and _CHAIN_HOOK in one
    ]
    if sorted(hooks) != sorted(hooked):
        return False
    found = rules(table)
    return found.keys() == {name for name, there in wanted.items() if there} and all(
        len(there) == len(wanted[name])
        and all(same(one, other) for one, other in zip(there, wanted[name], strict=True))
        for name, there in found.items()
    )


def _name(found: Mapping[int, bytes], number: int) -> str:
    return found.get(number, b"")[:-1].decode(errors="replace")
