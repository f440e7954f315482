"""The shipped observer: of this phantom, and he sees what is plain and not what is hidden."""

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.evaluation.information_ceiling import sign_reader
from perfusynth.evaluation.information_ceiling.sign_reader import read_sign_reader, shipped_sign_reader
from perfusynth.phantom.patient import draw_patient


def test_an_observer_comes_back_from_his_file(tmp_path):
    shipped = shipped_sign_reader()
    sign_reader.write_sign_reader(tmp_path / "observer.npz", shipped)
    again = read_sign_reader(tmp_path / "observer.npz")
    assert again.cuts == shipped.cuts
    np.testing.assert_allclose(again.observer.covariance, shipped.observer.covariance, rtol=1e-6)


def test_an_observer_of_another_phantom_is_refused(tmp_path, monkeypatch):
    shipped = shipped_sign_reader()
    with monkeypatch.context() as other:
        other.setattr(sign_reader, "parameter_hash", lambda: "0" * 64)
        sign_reader.write_sign_reader(tmp_path / "observer.npz", shipped)
    with pytest.raises(InputError) as caught:
        read_sign_reader(tmp_path / "observer.npz")
    assert caught.value.code == "other_phantom"


def test_a_dense_clot_and_a_dark_core_are_signs_and_faint_ones_are_not():
    read = shipped_sign_reader()
    patient = next(
        p
        for p in map(draw_patient, range(1000))
        if p.stroke.site == "M1" and p.stroke.core_target_ml > 60 and not p.stroke.reperfused
    )
    plain = patient.with_stroke(clot_contrast_hu=40.0, clot_length_mm=25.0, nwu_percent=25.0)
    hidden = patient.with_stroke(clot_contrast_hu=0.0, nwu_percent=0.5, swelling=0.0)
    assert read(plain) == {"clot": True, "core": True}
    assert read(hidden) == {"clot": False, "core": False}
    assert read(patient.without_deficit()) == {"clot": False, "core": False}
