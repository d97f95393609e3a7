"""Who may ask, by what the kernel says of the other end of a socket."""

import os
import socket

import pytest

from ratsnake.daemon.control.peer_credentials import Access, Allowed, allowed_by
from ratsnake.host.processes.forked_call import in_child

USER, GROUP, OTHER = 23456, 23457, 23458

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become others")


def judged(
    allowed: Allowed, user: int, group: int, others: tuple[int, ...] = ()
) -> tuple[bool, bool]:
    """Whether such a peer is admitted, and whether it may change anything."""

    def ask() -> tuple[bool, bool]:
        os.setgroups(others)
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
        near, far = socket.socketpair(socket.AF_UNIX)
        with near, far:
            return allowed.admits(near), allowed.may_change(near)

    return in_child(ask)


@as_root
def test_a_user_is_admitted_by_number() -> None:
    assert judged(Allowed(frozenset((USER,))), USER, OTHER) == (True, True)
    assert judged(Allowed(frozenset((OTHER,))), USER, OTHER) == (False, False)


@as_root
@pytest.mark.parametrize(
    ("group", "others", "admits"),
    [
        (GROUP, (), True),
        (OTHER, (OTHER, GROUP), True),
        (OTHER, (OTHER,), False),
        (OTHER, tuple(range(30_000, 30_300)), False),  # more than the kernel is asked for
    ],
)
def test_a_member_is_admitted_by_any_of_its_groups(
    group: int, others: tuple[int, ...], admits: bool
) -> None:
    allowed = Allowed(frozenset(), frozenset((GROUP,)))
    assert judged(allowed, USER, group, others) == (admits, admits)


@as_root
def test_everybody_may_ask_and_change_nothing() -> None:
    assert judged(Allowed(frozenset(), everybody=True), USER, OTHER) == (True, False)
    named = Allowed(frozenset((USER,)), frozenset((GROUP,)), everybody=True)
    assert judged(named, USER, OTHER) == judged(named, OTHER, GROUP) == (True, True)


@pytest.mark.parametrize(
    ("access", "groups", "everybody"),
    [
        (Access(), [], False),
        (Access(0o600, GROUP), [], False),
        (Access(0o640, GROUP), [], False),
        (Access(0o660, GROUP), [GROUP], False),
        (Access(0o660), [os.getegid()], False),
        (Access(0o606), [], True),
    ],
)
def test_who_may_write_to_the_socket_may_ask(
    access: Access, groups: list[int], everybody: bool
) -> None:
    own = frozenset((0, os.geteuid()))
    assert allowed_by(access) == Allowed(own, frozenset(groups), everybody)


def test_who_may_ask_is_said_as_it_is() -> None:
    assert str(Allowed(frozenset())) == "root and the owner of the NAT"
    with_group = "root, the owner of the NAT and the members of its control group"
    assert str(Allowed(frozenset(), frozenset((GROUP,)))) == with_group
