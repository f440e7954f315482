"""Digital patients as heads: what the drawing gave, by seed, in the parts that the run was told."""

from types import SimpleNamespace

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.generators.bundles import ModelGridSpec, read_bundle
from perfusynth.phantom.drawn import DrawnPatients
from perfusynth.phantom.render import render_on_model_grid
from perfusynth.training.config import config_from
from perfusynth.training.data.patients import patients_of
from perfusynth.training.data.phantom_heads import PhantomHeads, draw_for
from tests.generators.tiny import SHIPPED, write_tiny_bundle

VOLUMES = ["ncct", "tmax", "cbf"]


def drawn(seed: int) -> SimpleNamespace:
    """A patient all of whose voxels tell his seed."""
    shape = (4, 4, 2)
    brain = np.zeros(shape, dtype=np.float32)
    brain[1:3, 1:3] = 1
    names = ("ncct", "tmax", "cbf", "mtt", "core")
    volumes = {name: np.full(shape, seed, dtype=np.float32) for name in names}
    return SimpleNamespace(volumes=volumes | {"brain": brain, "valid": np.ones_like(brain)})


def test_a_head_is_the_patient_of_its_seed():
    heads = PhantomHeads([7, 3], VOLUMES, drawn)
    assert heads.names == ["7", "3"]
    head = heads(1)
    assert head.name == "3"
    assert set(head.volumes) == {*VOLUMES, "core"}
    assert (head.volumes["tmax"] == 3).all()
    assert head.brain.sum() == 8
    assert head.valid.all()


def test_patients_are_kept_where_a_folder_is_given(tmp_path):
    spec = read_bundle(SHIPPED).spec
    assert isinstance(draw_for(spec, VOLUMES, tmp_path), DrawnPatients)
    assert draw_for(spec, VOLUMES, None) is render_on_model_grid


def test_what_digital_patients_do_not_have_is_refused(tmp_path):
    spec = read_bundle(SHIPPED).spec
    coarse = spec.model_copy(update={"grid": ModelGridSpec(size=96, spacing_mm=2.4, slab_mm=5)})
    for of, volumes, kept in (
        (spec, [*VOLUMES, "flair"], None),
        (spec, [*VOLUMES, "mtt"], tmp_path),
        (coarse, VOLUMES, None),
    ):
        with pytest.raises(InputError) as caught:
            draw_for(of, volumes, kept)
        assert caught.value.code == "no_phantom"
    draw_for(spec, [*VOLUMES, "mtt"], None)


def test_one_range_is_shared_out_and_ranges_of_parts_are_kept(tmp_path):
    bundle = write_tiny_bundle(tmp_path / "tiny", weights=False)
    spec = read_bundle(bundle).spec

    def parts(name, seeds):
        (tmp_path / name).mkdir()
        config = config_from({"bundle": bundle, "out": tmp_path / name, "phantom_seeds": seeds})
        found = patients_of(config, spec, lambda stage, fraction: None)
        return found.train.names, found.tune.names

    train, tune = parts("shared", (0, 200))
    assert 110 < len(train) < 170
    assert not set(train) & set(tune)
    assert parts("ranges", {"train": (5, 8), "tune": (1, 3), "test": (100, 200)}) == (["5", "6", "7"], ["1", "2"])
