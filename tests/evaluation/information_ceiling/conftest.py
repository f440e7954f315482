"""A small bank that several tests share."""

from pathlib import Path

import pytest

from perfusynth.evaluation.information_ceiling.bank import Draws, bank_of


@pytest.fixture(scope="session")
def small_bank(tmp_path_factory: pytest.TempPathFactory) -> Draws:
    return bank_of(Path(tmp_path_factory.mktemp("bank")), 300, processes=1)
