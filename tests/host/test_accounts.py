"""Users and groups by name, from this host's own lists."""

import grp
import os
import pwd

import pytest

from ratsnake.host.accounts import Account, account, group_number, is_member

NOBODY = pwd.getpwnam("nobody")
ITS_GROUP = grp.getgrgid(NOBODY.pw_gid).gr_name


def test_a_user_is_in_its_own_group_or_another() -> None:
    assert account("nobody") == Account("nobody", NOBODY.pw_uid, NOBODY.pw_gid)
    assert account("nobody:daemon").group == grp.getgrnam("daemon").gr_gid


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nobdy", "there is no user 'nobdy' here"),
        ("", "there is no user '' here"),
        ("root", "must be a user without privileges, not root"),
        ("nobody:no-such-group", "there is no group 'no-such-group' here"),
        ("nobody:", "there is no group '' here"),
    ],
)
def test_who_is_not_there(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        account(text)


def test_members_are_those_of_the_own_group_and_those_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    daemon = group_number("daemon")
    assert is_member(NOBODY.pw_uid, NOBODY.pw_gid, NOBODY.pw_gid)
    assert not is_member(NOBODY.pw_uid, NOBODY.pw_gid, daemon)
    monkeypatch.setattr(os, "getgrouplist", lambda name, group: [group, daemon])
    assert is_member(NOBODY.pw_uid, NOBODY.pw_gid, daemon)
    assert not is_member(4_000_000_000, 4_000_000_000, daemon)
