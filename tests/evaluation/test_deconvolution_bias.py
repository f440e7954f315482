"""The tables of the bias are of curves whose truth is known."""

from pathlib import Path

from perfusynth.evaluation.deconvolution_bias import MTT_S, behaviour, main
from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings


def test_the_truncation_lowers_flow_most_where_the_transit_is_short():
    mild, strong = (
        behaviour(DeconvolutionSettings(method="csvd", threshold=threshold), 1.0, 1.0, 60.0)
        for threshold in (0.05, 0.2)
    )
    assert len(mild.flow_share) == len(MTT_S)
    for found in (mild, strong):
        assert list(found.flow_share) == sorted(found.flow_share)
        assert found.flow_change < 0.01
        assert 0.95 < found.volume_range[0] < 1 < found.volume_range[1] < 1.05
    assert all(a > b for a, b in zip(mild.flow_share, strong.flow_share, strict=True))
    assert mild.rank > strong.rank


def test_the_command_renews_its_tables_and_nothing_else(tmp_path: Path):
    markers = "".join(f"<!-- {name}:begin -->\nold\n<!-- {name}:end -->\n" for name in ("bias", "delay", "noise"))
    (tmp_path / "perfusion.md").write_text(f"# Page\n{markers}after\n", encoding="utf-8")
    assert main(["--docs", str(tmp_path)]) == 0
    text = (tmp_path / "perfusion.md").read_text(encoding="utf-8")
    assert text.startswith("# Page\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert text.count("| osvd 0.035 |") == 3 + 4 + 1
