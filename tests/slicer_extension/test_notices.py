"""Banner sentences: the server's own, and never fewer than a result must bear."""

import pytest
from PerfuSynthLib import notices
from PerfuSynthLib.notices import notices_for, with_notices

from perfusynth.perfusion import notices as servers

SENTENCES = (
    "SYNTHETIC",
    "NOT_VALID_FOR_PATIENTS",
    "DECONVOLVED",
    "VENDOR",
    "FROM_COLOURS",
    "RESEARCH_USE_ONLY",
    "DIGITAL_PHANTOMS",
)


@pytest.mark.parametrize("name", SENTENCES)
def test_sentences_are_the_servers_word_for_word(name):
    assert getattr(notices, name) == getattr(servers, name)


@pytest.mark.parametrize(
    "validated_on", [None, "", "digital phantoms", "Digital phantom v3", "1200 patients of 4 sites"]
)
@pytest.mark.parametrize("origin", ["synthetic", "deconvolved", "vendor", "colour_picture"])
def test_every_origin_bears_the_servers_lines(origin, validated_on):
    assert notices_for(origin, validated_on) == servers.notices_for(origin, validated_on)


def test_an_unknown_origin_counts_as_synthetic():
    assert notices_for("dreamt", None) == [servers.SYNTHETIC, servers.NOT_VALID_FOR_PATIENTS]


def test_a_result_that_leaves_its_banner_out_bears_it_all_the_same():
    assert with_notices([], "synthetic", "digital phantoms") == [servers.SYNTHETIC, servers.NOT_VALID_FOR_PATIENTS]
    given = ["Only at our hospital", servers.SYNTHETIC]
    assert with_notices(given, "synthetic", "our patients") == [servers.SYNTHETIC, "Only at our hospital"]
