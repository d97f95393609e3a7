"""Every input of the corpus, and every seed, with the build that is there: what was mended once
stays mended.  `make fuzz` shows them to the sanitized build, and looks for more."""

import importlib
from pathlib import Path

import pytest

from fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
MOST_BYTES = 1_000_000


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_of_the_corpus_breaks_its_target(name: str) -> None:
    target = importlib.import_module(f"fuzz.targets.{name}")
    inputs = {f"seed {number}": seed for number, seed in enumerate(target.seeds())}
    inputs |= {path.name: path.read_bytes() for path in (CORPUS / name).iterdir()}
    for called, octets in inputs.items():
        try:
            target.run(octets)
        except Exception as error:
            raise AssertionError(f"{name}: {called}: {error!r}") from error


def test_there_are_inputs_for_every_target_and_they_are_small() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(TARGETS)
    assert all(any(folder.iterdir()) for folder in CORPUS.iterdir())
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < MOST_BYTES
