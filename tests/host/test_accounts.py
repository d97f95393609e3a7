"""Users and groups by name, from this host's own lists."""

import grp
import pwd

import pytest

from ratsnake.host.accounts import Account, account, group_number

NOBODY = pwd.getpwnam("nobody")


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


def test_a_group_by_name() -> None:
    assert group_number("daemon") == grp.getgrnam("daemon").gr_gid
