"""A forward is added to a configuration file, and all else of it stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ratsnake.daemon.configuration.file_editing import save_forward, with_forward
from ratsnake.daemon.user_errors import RunError

NEW = "tcp:80=192.168.1.10"

CHANGES = [
    ("", f'[rules]\nforward = ["{NEW}"]\n'),
    ('[nat]\nexternal = ["x"]', f'[nat]\nexternal = ["x"]\n\n[rules]\nforward = ["{NEW}"]\n'),
    (
        "# mine\n[rules]  # none yet\n\n[host]\nlan = 'br0' # the LAN\n",
        f"# mine\n[rules]  # none yet\nforward = [\"{NEW}\"]\n\n[host]\nlan = 'br0' # the LAN\n",
    ),
    ("[rules]\nforward = []", f'[rules]\nforward = ["{NEW}"]'),
    ("[rules]\nforward=[ ] # none\n", f'[rules]\nforward=["{NEW}" ] # none\n'),
    ('[rules]\nforward = ["a"]\n', f'[rules]\nforward = ["a", "{NEW}"]\n'),
    ("[rules]\nforward = ['a', \"]#,\" , ]\n", f'[rules]\nforward = [\'a\', "]#," , "{NEW}" ]\n'),
    (
        '[rules]\nforward = [\n    "a",  # ssh, [or]\n    # "b",\n    "c"  # the last\n]\n[x]\n',
        '[rules]\nforward = [\n    "a",  # ssh, [or]\n    # "b",\n    "c",  # the last\n'
        f'    "{NEW}",\n]\n[x]\n',
    ),
    (
        '[rules]\nforward = [\n  "a",\n  "c", # the last\n  # more below\n]\n',
        f'[rules]\nforward = [\n  "a",\n  "c", # the last\n  "{NEW}",\n  # more below\n]\n',
    ),
    (
        '[rules]\r\nforward = [\r\n\t"a",\r\n]\r\n',
        f'[rules]\r\nforward = [\r\n\t"a",\r\n\t"{NEW}",\r\n]\r\n',
    ),
    ("[rules]\r\nno-nat = []\r\n", f'[rules]\r\nforward = ["{NEW}"]\r\nno-nat = []\r\n'),
    (
        '[a]\nforward = ["not this"]\n[rules]\none-to-one = []\n[b]\nforward = ["nor this"]\n',
        '[a]\nforward = ["not this"]\n[rules]\n'
        f'forward = ["{NEW}"]\none-to-one = []\n[b]\nforward = ["nor this"]\n',
    ),
    ("\ufeff[rules]\nforward = []\n", f'\ufeff[rules]\nforward = ["{NEW}"]\n'),
    (f'[rules]\nforward = ["{NEW}"]\n', f'[rules]\nforward = ["{NEW}"]\n'),
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_only_the_list_changes(before: str, after: str) -> None:
    assert with_forward(before, NEW) == after
    assert with_forward(after, NEW) == after


@pytest.mark.parametrize(
    "text",
    [
        "[rules",  # no TOML
        "rules = 5\n",
        "[rules]\nforward = 5\n",
        'rules = { forward = ["a"] }\n',
        'rules.forward = ["a"]\n[nat]\n',
        'x = """\n[rules]\n"""\nrules.forward = []\n',
    ],
)
def test_what_has_no_place_for_it_is_left_alone(text: str, tmp_path: Path) -> None:
    assert with_forward(text, NEW) is None
    file = tmp_path / "nat.toml"
    file.write_text(text)
    with pytest.raises(RunError, match=f'cannot be changed; add "{NEW}" to forward in .rules. the'):
        save_forward(file, NEW)
    assert file.read_text() == text


def test_what_only_looks_like_the_section_is_none() -> None:
    text = 'x = """\n[rules]\nforward = []\n"""\n'
    assert with_forward(text, NEW) == f'{text}\n[rules]\nforward = ["{NEW}"]\n'


def test_the_file_keeps_its_mode_its_owner_and_its_name(tmp_path: Path) -> None:
    file, link = tmp_path / "nat.toml", tmp_path / "link.toml"
    file.write_text("[rules]\n")
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 1234, 4321)
    before = file.stat()
    link.symlink_to("nat.toml")
    save_forward(link, NEW)
    after = file.stat()
    assert link.is_symlink() and NEW in file.read_text()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert sorted(os.listdir(tmp_path)) == ["link.toml", "nat.toml"]


def test_a_failed_write_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "nat.toml"
    file.write_text("[rules]\n")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        save_forward(file, NEW)
    assert file.read_text() == "[rules]\n" and os.listdir(tmp_path) == ["nat.toml"]
