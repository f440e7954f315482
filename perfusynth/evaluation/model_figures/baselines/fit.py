"""What the rules take from patients: constants, a curve, cuts; and the incidence maps, from a bank of drawn ones.

The rules may not be better informed than a model that was trained: they see training patients only.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth import atomic
from perfusynth.errors import InputError
from perfusynth.evaluation.information_ceiling import regions
from perfusynth.evaluation.information_ceiling.bank import SITES, Draws
from perfusynth.evaluation.information_ceiling.prior import Prior
from perfusynth.evaluation.information_ceiling.sign import SIGN_SPECIFICITY, TOGETHER
from perfusynth.evaluation.model_figures.baselines.findings import Findings, artery_names, darkness, findings_of
from perfusynth.evaluation.model_figures.case import EvaluationCase
from perfusynth.phantom.version import parameter_hash
from perfusynth.shared_files import shared_folders

#: Name of the file among the sample data.
BASELINES_FILE = "ncct_baselines.npz"
#: Knots of the curve from darkness to Tmax and CBF: quantiles, finer at the dark end [d].
KNOTS = np.concatenate([np.linspace(0, 0.9, 46), np.linspace(0.9, 1, 41)[1:]])
#: Every so many voxels of a training patient enter the curve [d].
VOXEL_STRIDE = 53


@dataclass(frozen=True, eq=False)
class BaselineFit:
    """Everything that the rules know.

    Parameters
    ----------
    normal_tmax_s, normal_cbf
        Mean over patients of the brain's median, s and mL/100 g/min.
    darkness_hu, tmax_s, cbf
        The curve: at equal quantiles of darkness (ascending), Tmax (ascending) and CBF (descending) of the brain.
    artery_mean, artery_sd, tissue_sd
        Of `Findings` in patients without deficit, HU; differences of sides have a mean of 0.
    artery_cut, tissue_cut
        SD that the best artery, the best pattern of tissue exceed in 5 % of them.
    right, sites
        Incidence maps for the right side, bool ``(template voxels,)``: of any site, and ``(sites, voxels)`` of each of
        `bank.SITES`.
    seeds
        Training patients that were looked at.
    """

    normal_tmax_s: float
    normal_cbf: float
    darkness_hu: np.ndarray
    tmax_s: np.ndarray
    cbf: np.ndarray
    artery_mean: np.ndarray
    artery_sd: np.ndarray
    tissue_sd: np.ndarray
    artery_cut: float
    tissue_cut: float
    right: np.ndarray
    sites: np.ndarray
    seeds: np.ndarray


def patterns() -> dict[str, np.ndarray]:
    """Regions that darken together, as weights ``(regions.PAIRED,)``: single ones, and those of `sign.TOGETHER`."""
    names = list(regions.PAIRED)
    single = {name: np.eye(len(names))[i] for i, name in enumerate(names)}
    several = {key: np.isin(names, members).astype(float) for key, members in TOGETHER.items()}
    return {**single, **{f"{key} together": weights for key, weights in several.items()}}


def tissue_evidence(tissue: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """SD by which patterns of regions are darker on the right, ``(..., patterns)``."""
    weights = np.stack(list(patterns().values()))
    return (tissue / sd) @ weights.T / np.sqrt(weights.sum(axis=1))


def fit_baselines(cases: Iterable[EvaluationCase], bank: Draws) -> BaselineFit:
    """Fit the rules.

    Parameters
    ----------
    cases
        Training patients on the model grid, some of them without a deficit.
    bank
        Drawn patients for the incidence maps.
    """
    normal: list[tuple[float, float]] = []
    dark, tmax, cbf, healthy, seeds = [], [], [], [], []
    for case in cases:
        voxels = np.flatnonzero(case.measured)[::VOXEL_STRIDE]
        dark.append(darkness(case).ravel()[voxels])
        tmax.append(case.truth["tmax"].ravel()[voxels])
        cbf.append(case.truth["cbf"].ravel()[voxels])
        normal.append((float(np.median(tmax[-1])), float(np.median(cbf[-1]))))
        seeds.append(int(case.about["seed"]))
        if case.about["site"] == "none":
            healthy.append(findings_of(case))
    tmax_s, cbf_value = np.mean(normal, axis=0)
    prior = Prior(bank)
    return BaselineFit(
        normal_tmax_s=float(tmax_s),
        normal_cbf=float(cbf_value),
        darkness_hu=np.quantile(np.concatenate(dark), KNOTS),
        tmax_s=np.quantile(np.concatenate(tmax), KNOTS),
        cbf=np.quantile(np.concatenate(cbf), 1 - KNOTS),
        right=prior.right,
        sites=np.stack([prior.of_site(number, 1.0) for number in range(len(SITES))]),
        seeds=np.array(seeds),
        **_cuts(healthy),
    )


def _cuts(healthy: Sequence[Findings]) -> dict[str, Any]:
    """Noise of the findings of patients without deficit; each and his mirror image count."""
    artery, tissue = (np.stack([getattr(f, name) for f in healthy]) for name in ("artery", "tissue"))
    paired = np.arange(len(artery_names())) < len(artery_names()) - 1
    mean = np.where(paired, 0.0, artery.mean(axis=0))
    sd = np.sqrt(((artery - mean) ** 2).mean(axis=0))
    tissue_sd = np.sqrt((tissue**2).mean(axis=0))
    score = (artery - mean) / sd
    best_artery = np.maximum(np.abs(score[:, paired]).max(axis=1), score[:, -1])
    best_tissue = np.abs(tissue_evidence(tissue, tissue_sd)).max(axis=1)
    return {
        "artery_mean": mean,
        "artery_sd": sd,
        "tissue_sd": tissue_sd,
        "artery_cut": float(np.quantile(best_artery, SIGN_SPECIFICITY)),
        "tissue_cut": float(np.quantile(best_tissue, SIGN_SPECIFICITY)),
    }


def write_baselines(path: Path, fit: BaselineFit) -> None:
    """Write the fit, whole or not at all; masks as bits."""
    content = BytesIO()
    voxels = fit.right.size
    masks = {name: np.packbits(getattr(fit, name), axis=-1) for name in ("right", "sites")}
    about = json.dumps({"parameter_hash": parameter_hash(), "voxels": voxels})
    plain = {name: value for name, value in vars(fit).items() if name not in masks}
    np.savez_compressed(content, about=np.array(about), **plain, **masks)
    atomic.write_bytes(path, content.getvalue())


def read_baselines(path: Path) -> BaselineFit:
    """Read a fit.

    Raises
    ------
    InputError
        Code ``other_phantom``: it was made from patients of another phantom.
    """
    with np.load(path) as found:
        about = json.loads(str(found["about"]))
        if about["parameter_hash"] != parameter_hash():
            raise InputError(
                "These rules were fitted to other digital patients.",
                expected=f"parameter hash {parameter_hash()[:12]}",
                got=str(about["parameter_hash"])[:12],
                hint="Fit them anew: python -m perfusynth.evaluation.model_figures.baselines --help.",
                code="other_phantom",
            )
        values: dict[str, Any] = {name: found[name] for name in found.files if name != "about"}
    for name in ("right", "sites"):
        values[name] = np.unpackbits(values[name], axis=-1, count=about["voxels"]).view(bool)
    values = {name: float(value) if np.ndim(value) == 0 else value for name, value in values.items()}
    return BaselineFit(**values)


def shipped_baselines() -> Path:
    """The fit among the sample data."""
    for folder in shared_folders("sample-data"):
        if (folder / BASELINES_FILE).is_file():
            return folder / BASELINES_FILE
    raise FileNotFoundError(f"sample-data/{BASELINES_FILE} is neither in the checkout nor installed")
