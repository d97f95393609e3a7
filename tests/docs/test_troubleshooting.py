"""The page of symptoms speaks of drop reasons that there are, and of all that one can act on."""

import re

from ratsnake.nat.rules.drop_reasons import REASONS, WITHOUT_RESOURCES
from support.tools import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()


def test_its_drop_reasons_are_the_engines() -> None:
    named = {
        reason
        for listed in re.findall(r"drops: ((?:`[a-z-]+`(?:, )?)+)", PAGE)
        for reason in re.findall(r"`([a-z-]+)`", listed)
    }
    assert named <= {reason.name for reason in REASONS}
    assert {REASONS[number].name for number in WITHOUT_RESOURCES} <= named
