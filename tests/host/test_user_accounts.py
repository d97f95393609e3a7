"""Users and groups by name, from this host's own lists."""

import grp
import pwd

import pytest

from ratsnake.host.processes.user_accounts import Account, account, group_number, process_account

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


def test_who_this_process_is(monkeypatch: pytest.MonkeyPatch) -> None:
    group = grp.getgrgid(NOBODY.pw_gid).gr_name
    monkeypatch.setattr("os.geteuid", lambda: NOBODY.pw_uid)
    monkeypatch.setattr("os.getegid", lambda: NOBODY.pw_gid)
    assert process_account() == ("nobody", group)
    monkeypatch.setattr("os.geteuid", lambda: 4_000_000)
    assert process_account() == ("4000000", str(NOBODY.pw_gid))
