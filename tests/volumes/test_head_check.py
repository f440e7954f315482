"""Each finding is provoked the way nature or a workflow would, and does not come up without it."""

from collections.abc import Callable

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from perfusynth.volumes.acquisition import Acquisition
from perfusynth.volumes.brain import BrainMask
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.cropping import cropped_to
from perfusynth.volumes.findings import Finding
from perfusynth.volumes.head_check import check_anatomy, check_head, check_image, refusals
from perfusynth.volumes.volume import Volume
from tests.volumes.painting import Subject, ball, painted, tube

CT = Acquisition(modality="CT", image_type=("ORIGINAL", "PRIMARY", "AXIAL"), body_part="HEAD")


@pytest.fixture(scope="module", params=["analytic", "ge"])
def subject(request, head) -> Subject:
    if request.param == "analytic":
        return Subject(head(spacing=(1.25, 1.25, 4.0), shape=(140, 170, 45)).ncct)
    ge_ct = request.getfixturevalue("ge_ct")
    part, _ = cropped_to(ge_ct, BuiltinBrain().extract(ge_ct).mask, 25.0)
    return Subject(part)


def checked(ncct: Volume) -> dict[str, Finding]:
    """Codes of both stages with the brain found anew, as the pipeline does it."""
    found = check_image(ncct, CT)
    if not refusals(found):
        found += check_anatomy(ncct, BuiltinBrain().extract(ncct))
    return {finding.code: finding for finding in found}


def refused(found: dict[str, Finding]) -> set[str]:
    return {finding.code for finding in refusals(found.values())}


# Heads that must pass


def test_unaltered_heads_pass(subject):
    assert refused(checked(subject.ncct)) == set()


def test_template_passes(template_ct):
    assert refused(checked(template_ct)) == set()


def test_the_real_dicom_series_passes(public_data):
    from perfusynth.readers.read import read_scan

    scan = read_scan(public_data / "ge_ncct_tilt" / "dicom")
    found = check_head(scan.volume, scan.acquisition, BuiltinBrain().extract(scan.volume))
    assert found == []


def test_phantom_like_thin_noisy_head_passes(head):
    ncct = head(spacing=(1.0, 1.0, 0.8), shape=(180, 210, 220), noise=8.0).ncct
    assert set(checked(ncct)) == set()


def test_a_large_fresh_infarct_is_no_finding(subject):
    ncct = subject.ncct
    weight = np.clip(0.5 - ball(subject.ncct, subject.at(35, 0, 10), 100), 0, 1)
    assert refused(checked(ncct.with_array(ncct.array - 12 * weight))) == set()


def test_calcified_plexus_pineal_and_falx_are_no_finding(subject):
    ncct = subject.ncct
    for side in (-1, 1):
        ncct = painted(
            ncct, tube(subject.ncct, [subject.at(20 * side, -35, 0), subject.at(26 * side, -38, -8)], 6), 350
        )
    ncct = painted(ncct, ball(subject.ncct, subject.at(0, -25, -2), 0.2), 400)
    right, front, up = subject.own
    falx = np.maximum.reduce([np.abs(right) - 1.5, np.abs(front - 40) - 15, np.abs(up - 35) - 10])
    found = checked(painted(ncct, falx, 300))
    assert not {"blood", "contrast_in_vessels", "metal"} & set(found)


def test_hyperdense_artery_and_falx_are_no_finding(subject):
    ncct = subject.ncct
    m1 = [subject.at(5, 15, -15), subject.at(22, 18, -14), subject.at(38, 12, -10)]
    ncct = painted(ncct, tube(subject.ncct, m1, 2.0), 55)
    right, front, up = subject.own
    falx = np.maximum.reduce([np.abs(right) - 1.0, np.abs(front) - 60, np.abs(up - 30) - 30])
    found = checked(painted(ncct, falx, 62))
    assert not {"blood", "contrast_in_vessels"} & set(found)


# Blood and contrast


@pytest.mark.parametrize("place", [(25, 5, 10), (-25, -10, 20), (18, -50, -5)])
def test_20_ml_of_blood_is_refused(subject, place):
    found = checked(painted(subject.ncct, ball(subject.ncct, subject.at(*place), 20), 65))
    assert found["blood"].severity == "refuse"


def test_faint_blood_of_55_hu_is_refused(subject):
    found = checked(painted(subject.ncct, ball(subject.ncct, subject.at(28, 5, 10), 20), 55))
    assert found["blood"].severity == "refuse"


def test_2_5_ml_of_blood_is_told(subject):
    found = checked(painted(subject.ncct, ball(subject.ncct, subject.at(25, 5, 10), 2.5), 65))
    assert found["blood"].severity == "warn"


def test_blood_in_both_ventricles_is_refused(subject):
    ncct = subject.ncct
    for side in (-1, 1):
        ncct = painted(
            ncct, tube(subject.ncct, [subject.at(12 * side, 20, 12), subject.at(16 * side, -25, 12)], 12), 65
        )
    assert checked(ncct)["blood"].severity == "refuse"


def test_a_thick_subdural_haematoma_is_refused(subject):
    inside = np.where(subject.brain.mask, 1.0, 0.0)
    depth = ndimage.distance_transform_edt(inside, sampling=subject.ncct.spacing)
    right, front, _ = subject.own
    crescent = np.maximum.reduce([depth - 13, 20 - right, np.abs(front) - 45, 0.5 - depth])
    assert checked(painted(subject.ncct, crescent, 68))["blood"].severity == "refuse"


def test_vessels_filled_with_contrast_are_refused(subject):
    ncct = subject.ncct
    for side in (-1, 1):
        mca = [subject.at(a * side, b, c) for a, b, c in ((6, 12, -25), (8, 14, -15), (25, 16, -13), (40, 8, -5))]
        branch = [subject.at(a * side, b, c) for a, b, c in ((40, 8, -5), (44, -10, 10), (42, -25, 22))]
        ncct = painted(ncct, tube(subject.ncct, mca, 3.2), 300)
        ncct = painted(ncct, tube(subject.ncct, branch, 2.4), 280)
    ncct = painted(ncct, tube(subject.ncct, [subject.at(0, -5, -35), subject.at(0, 0, -22)], 3.2), 300)
    assert checked(ncct)["contrast_in_vessels"].severity == "refuse"


# Surgery, metal, air


def test_a_missing_bone_flap_is_refused(subject):
    hu = subject.ncct.array.copy()
    right, front, up = subject.own
    inside = BuiltinBrain().extract(subject.ncct).mask
    flap = (right > 20) & (np.abs(front) < 35) & (np.abs(up - 20) < 30) & ~inside & (hu > 120)
    hu[flap] = 40
    found = checked(subject.ncct.with_array(hu))
    assert found["craniotomy"].severity == "refuse"


def test_a_clip_is_refused_and_a_plate_is_told(subject):
    clip = painted(subject.ncct, tube(subject.ncct, [subject.at(15, 15, -16), subject.at(19, 17, -7)], 3.5), 3071)
    assert checked(clip)["metal"].severity == "refuse"
    right, front, up = subject.own
    hu = subject.ncct.array.copy()
    hu[(hu > 400) & (right > 40) & (np.abs(front) < 12) & (np.abs(up - 25) < 8)] = 3071
    assert checked(subject.ncct.with_array(hu))["metal"].severity == "warn"


def test_air_after_surgery_is_refused(subject):
    found = checked(painted(subject.ncct, ball(subject.ncct, subject.at(20, 30, 15), 5), -950))
    assert found["intracranial_air"].severity == "refuse"


# Coverage and pose


def keep_heights(subject: Subject, low: float, high: float) -> Volume:
    """Cut the slices below and above heights (mm from the brain's centre, along the slice axis)."""
    ncct = subject.ncct
    z = np.arange(ncct.shape[2]) * ncct.spacing[2]
    z = z - np.average(z, weights=subject.brain.mask.sum(axis=(0, 1)))
    kept = np.flatnonzero((z >= low) & (z <= high))
    affine = ncct.affine.copy()
    affine[:3, 3] += ncct.affine[:3, 2] * kept[0]
    return Volume(ncct.array[:, :, kept], affine)


@pytest.mark.parametrize(("high", "severity"), [(50, "warn"), (15, "refuse")])
def test_a_cut_vertex(subject, high, severity):
    assert checked(keep_heights(subject, -200, high))["vertex_cut"].severity == severity


@pytest.mark.parametrize(("low", "severity"), [(-20, "warn"), (10, "refuse")])
def test_a_cut_base(subject, low, severity):
    found = checked(keep_heights(subject, low, 200))
    assert found["base_cut"].severity == severity


def test_padding_instead_of_missing_slices_is_a_cut_too(subject):
    hu = subject.ncct.array.copy()
    _, _, up = subject.own
    hu[up > 45] = -1024
    assert "vertex_cut" in checked(subject.ncct.with_array(hu))


def test_a_head_turned_far_is_told(head):
    angle = np.deg2rad(30)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    ncct = head(spacing=(1.5, 1.5, 4), shape=(150, 150, 45), rotation=rotation).ncct
    assert checked(ncct)["unusual_pose"].severity == "warn"


# Values


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("hu_offset", lambda a: a + 1024),
        ("hu_offset", lambda a: np.maximum(a, -1024) - 1024),
        ("hu_scale", lambda a: np.round(np.clip((a + 20) / 100, 0, 1) * 255)),
        ("hu_scale", lambda a: (np.maximum(a, -1024) + 1024) / 4095),
        ("hu_scale", lambda a: np.zeros_like(a)),
        ("hu_scale", lambda a: np.clip(a, 0, 200) * 7.0),
        ("hu_scale", lambda a: (a - a.mean()) / a.std()),
    ],
    ids=["+1024", "-1024", "0-255", "0-1", "constant", "like MR", "z-score"],
)
def test_values_that_are_no_hu(subject, code: str, change: Callable[[np.ndarray], np.ndarray]):
    found = check_image(subject.ncct.with_array(change(subject.ncct.array)), CT)
    assert [f.code for f in refusals(found)] == [code]


def test_values_that_are_no_numbers(subject):
    hu = subject.ncct.array.copy()
    hu[5, 5, 5] = np.nan
    assert [f.code for f in check_image(subject.ncct.with_array(hu), CT)] == ["not_finite"]


def test_cormack_units_are_no_hu(public_data):
    image = nib.load(public_data / "scct_template_priors" / "scct.nii.gz")
    found = check_image(Volume(image.get_fdata(), image.affine), Acquisition())
    assert [f.code for f in refusals(found)] == ["hu_scale"]


def test_too_few_slices(subject):
    ncct = subject.ncct
    few = Volume(ncct.array[:, :, 20:25], ncct.affine)
    assert "too_few_slices" in refused({f.code: f for f in check_image(few, CT)})


@pytest.mark.parametrize(("mm", "severity"), [(5.0, None), (7.0, "warn"), (12.0, "refuse")])
def test_slice_thickness_in_the_header(subject, mm, severity):
    found = check_image(subject.ncct, Acquisition(slice_thickness_mm=mm))
    assert [f.severity for f in found if f.code == "too_thick_slices"] == ([severity] if severity else [])


# What is no head


def test_a_stripped_brain_has_no_skull(subject):
    for outside in (0.0, -1000.0):
        stripped = subject.ncct.with_array(np.where(subject.brain.mask, np.clip(subject.ncct.array, 0, 90), outside))
        assert [f.code for f in refusals(check_image(stripped, CT))] == ["no_skull"]
        assert "no_skull" in refused({f.code: f for f in check_anatomy(stripped, subject.brain)})


def test_the_stripped_template_has_no_skull(public_data):
    image = nib.load(public_data / "scct_template_priors" / "ctp_ct_HU.nii.gz")
    found = check_image(Volume(image.get_fdata(), image.affine), Acquisition())
    assert [f.code for f in refusals(found)] == ["no_skull"]


def body(chest: bool) -> Volume:
    """A trunk: fat, muscle, organs or lungs, a spine, ribs as an open ring; 1.5 x 1.5 x 5 mm."""
    shape, spacing = (260, 200, 40), (1.5, 1.5, 5.0)
    affine = np.diag([*spacing, 1.0])
    x, y, z = np.indices(shape) * np.reshape(spacing, (3, 1, 1, 1))
    x, y = x - x.mean(), y - y.mean()
    radius = (x / 180) ** 2 + (y / 120) ** 2
    hu = np.full(shape, -1000.0)
    hu[radius < 1] = -100
    hu[radius < 0.8] = 55
    if chest:
        for side in (-1, 1):
            hu[((x - 80 * side) / 60) ** 2 + (y / 80) ** 2 < 1] = -850
    ribs = (np.abs(radius - 0.75) < 0.04) & ((z // 15) % 2 == 0) & (np.abs(x) > 30)
    hu[ribs] = 500
    spine = (x**2 + (y + 70) ** 2 < 25**2) & ~((x**2 + (y + 80) ** 2) < 9**2)
    hu[spine] = 400
    return Volume(hu + np.random.default_rng(0).normal(0, 8, shape), affine)


@pytest.mark.parametrize("chest", [False, True], ids=["abdomen", "chest"])
def test_a_trunk_is_the_wrong_body_part(chest):
    assert [f.code for f in refusals(check_image(body(chest), Acquisition()))] == ["wrong_body_part"]


def test_an_extremity_is_the_wrong_body_part():
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    x, y, _ = np.indices((160, 160, 40)) - 80.0
    hu = np.full((160, 160, 40), -1000.0)
    hu[x**2 + y**2 < 70**2] = 55
    hu[x**2 + y**2 < 16**2] = 1100
    hu[x**2 + y**2 < 8**2] = -60
    assert [f.code for f in refusals(check_image(Volume(hu, affine), Acquisition()))] == ["wrong_body_part"]


def test_a_skull_full_of_air_is_a_plastic_phantom(subject):
    right, front, _ = subject.own
    brain = subject.brain.mask
    hu = np.where(brain, -1000.0, subject.ncct.array)
    hu[brain & (np.hypot(right, front) < 25)] = 120  # test objects
    hu[brain & (np.abs(right) < 6)] = 50
    assert [f.code for f in refusals(check_image(subject.ncct.with_array(hu), CT))] == ["plastic_phantom"]


# Headers


@pytest.mark.parametrize(
    ("code", "severity", "facts"),
    [
        ("not_ct", "refuse", {"modality": "MR"}),
        ("secondary_capture", "refuse", {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7"}),
        ("secondary_capture", "refuse", {"image_type": ("DERIVED", "SECONDARY", "SCREEN SAVE")}),
        ("localizer", "refuse", {"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}),
        ("derived_image", "refuse", {"image_type": ("DERIVED", "PRIMARY", "PERFUSION", "RCBF")}),
        ("derived_image", "warn", {"image_type": ("DERIVED", "SECONDARY", "MPR")}),
        ("bone_kernel", "warn", {"convolution_kernel": "BONEPLUS"}),
        ("bone_kernel", "warn", {"convolution_kernel": "H70h"}),
        ("wrong_body_part", "warn", {"body_part": "ABDOMEN"}),
        ("contrast_in_vessels", "warn", {"contrast_agent": "Iomeprol 400"}),
        ("contrast_in_vessels", "warn", {"contrast_agent": "NON-IONIC 350"}),
        *((None, None, {"contrast_agent": text}) for text in ("NONE", "no", "Non contrast", "w/o", "N/A", "-", "0 ml")),
        (None, None, {"convolution_kernel": "STD+", "body_part": "HEAD", "modality": "CT"}),
        (None, None, {"convolution_kernel": "UB", "body_part": "BRAIN"}),
        (None, None, {"convolution_kernel": "H31s", "body_part": "CSPINE", "series_description": "Head 5 mm"}),
    ],
)
def test_what_the_header_says(subject, code, severity, facts):
    found = check_image(subject.ncct, Acquisition(**facts))
    assert [(f.code, f.severity) for f in found] == ([(code, severity)] if code else [])


def test_free_text_of_the_header_is_not_repeated(subject):
    (found,) = check_image(subject.ncct, Acquisition(contrast_agent="Iomeprol for DOE JOHN"))
    assert "DOE" not in str(found.as_dict())


# How findings are used


def test_an_override_names_the_code():
    warn = Finding("noisy", "warn", "m", "e", "g")
    refuse = Finding("blood", "refuse", "m", "e", "g")
    assert refusals([warn, refuse]) == [refuse]
    assert refusals([warn, refuse], {"blood"}) == []
    assert refusals([warn, refuse], {"metal"}) == [refuse]


def test_overriding_one_refusal_does_not_skip_the_question_whether_it_is_a_head(subject):
    air = subject.ncct.with_array(np.where(subject.ncct.array > 100, 40, subject.ncct.array))
    found = refusals(check_image(air, Acquisition(slice_thickness_mm=12.0)), {"too_thick_slices"})
    assert [f.code for f in found] == ["no_skull"]


def test_one_call_does_both_stages(subject):
    ncct = painted(subject.ncct, ball(subject.ncct, subject.at(25, 5, 10), 20), 65)
    found = check_head(ncct, Acquisition(contrast_agent="Iomeprol"), BuiltinBrain().extract(ncct))
    assert {f.code: f.severity for f in found} == {"contrast_in_vessels": "warn", "blood": "refuse"}
    assert [f.code for f in check_head(ncct, CT, None)] == []
    empty = BrainMask(np.zeros(ncct.shape, dtype=bool), "none")
    assert [f.code for f in check_head(ncct.with_array(ncct.array * 0), CT, empty)] == ["hu_scale"]
