"""The bank: its draws against the phantom, mirror images, resuming, refusal of another phantom's bank."""

import json
from pathlib import Path

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.evaluation.information_ceiling import bank as bank_module
from perfusynth.evaluation.information_ceiling import chunks
from perfusynth.evaluation.information_ceiling.bank import BANK_SEEDS, SITES, Draws, bank_of
from perfusynth.evaluation.information_ceiling.visible import brain_voxels, mirrored_parts
from perfusynth.phantom.lattice import BRAIN_COARSE
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.stroke.coarse import coarse_deficit


def test_the_brain_is_symmetric_and_as_large_as_one():
    voxels = brain_voxels()
    assert 1500 < voxels.count * BRAIN_COARSE.step_mm**3 / 1000 < 2200
    assert np.array_equal(voxels.mirror[voxels.mirror], np.arange(voxels.count))
    assert np.allclose(voxels.right + voxels.right[voxels.mirror], 1)


def test_a_draw_is_the_patient_of_its_seed(small_bank: Draws):
    number = int(np.flatnonzero(small_bank.region_ml > 30)[0])
    patient = draw_patient(int(small_bank.seeds[number]))
    deficit, inside = coarse_deficit(patient), brain_voxels().inside
    region = deficit.tmax_expected_s[inside] > 6
    assert np.array_equal(small_bank.masks(np.array([number]))[0], region)
    assert small_bank.region_ml[number] == pytest.approx(
        np.count_nonzero(region) * 0.064 * np.prod(patient.head.scale), rel=1e-4
    )
    assert SITES[small_bank.sites[number]] == patient.stroke.site


def test_mirror_images_lie_on_the_other_side(small_bank: Draws):
    voxels = brain_voxels()
    number = np.flatnonzero((small_bank.right_share > 0.95) & (small_bank.region_ml > 20))[:5]
    assert len(number)
    mirrored = small_bank.masks(number + len(small_bank))
    assert np.array_equal(mirrored.sum(axis=1), small_bank.masks(number).sum(axis=1))
    assert all(voxels.right[region].mean() < 0.05 for region in mirrored)
    parts = small_bank.parts
    assert np.array_equal(mirrored_parts(mirrored_parts(parts)), parts)
    assert not np.array_equal(mirrored_parts(parts), parts)


def test_seeds_are_not_those_of_training_or_test():
    assert BANK_SEEDS.start >= 5_000_000


def test_no_deficit_shows_nothing(small_bank: Draws):
    well = small_bank.sites == SITES.index("none")
    assert 0.12 < well.mean() < 0.38
    assert np.all(small_bank.parts[well] == 0)
    assert np.all(small_bank.region_ml[well] == 0)


def test_an_interrupted_bank_goes_on_and_another_phantoms_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_module, "CHUNK_DRAWS", 4)
    whole = bank_of(tmp_path / "whole", 8, processes=1)
    bank_of(tmp_path / "part", 4, processes=1)
    first = next((tmp_path / "part").glob("draws_*.npz"))
    written = first.stat().st_mtime_ns
    told = []
    resumed = bank_of(tmp_path / "part", 8, processes=1, on_progress=lambda *done: told.append(done))
    assert first.stat().st_mtime_ns == written
    assert told == [(4, 8), (8, 8)]
    for name, values in vars(whole).items():
        assert np.array_equal(values, getattr(resumed, name)), name

    identity = json.loads((tmp_path / "part" / "bank.json").read_text())
    (tmp_path / "part" / "bank.json").write_text(json.dumps({**identity, "parameter_hash": "of another"}))
    with pytest.raises(InputError) as error:
        bank_of(tmp_path / "part", 8, processes=1)
    assert error.value.code == "other_phantom"
    assert "parameter_hash" in error.value.expected


def test_a_chunk_of_many_processes_is_that_of_one(tmp_path: Path) -> None:
    found = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        arrays = chunks.chunked(folder, "squares", range(10), _squares, size=3, processes=processes)
        found.append(arrays["squares"])
    assert found[0].tolist() == found[1].tolist() == [n**2 for n in range(10)]


def _squares(seeds: range) -> dict[str, np.ndarray]:
    return {"squares": np.array(seeds) ** 2}


def test_chunks_of_other_code_have_another_name():
    assert chunks.code_stamp(chunks) == chunks.code_stamp(chunks)
    assert chunks.code_stamp(chunks) != chunks.code_stamp(chunks, bank_module)
