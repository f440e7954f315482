"""CT scanners and their head protocols: grids, noise and artefacts."""

from dataclasses import dataclass

import numpy as np

#: In-plane autocorrelation of noise at lags 0-4 of 0.49 mm, measured on a real GE head CT; softer and sharper ones [d].
GE_AUTOCORRELATION = (1.0, 0.6, 0.1, -0.1, -0.05)
SOFT_AUTOCORRELATION = (1.0, 0.72, 0.28, 0.02, -0.04)
SHARP_AUTOCORRELATION = (1.0, 0.48, 0.0, -0.1, -0.03)
#: Lag of the autocorrelations, mm.
AUTOCORRELATION_LAG_MM = 0.49


@dataclass(frozen=True)
class Scanner:
    """A scanner with one of its head protocols.

    Parameters
    ----------
    noise_sd_hu_at_5mm
        SD of the noise of a 5 mm slice at the native pixel, HU; scales with 1/sqrt(thickness).
    autocorrelation
        In-plane, at lags 0-4 of 0.49 mm.
    pixel_mm, matrix
        Native in-plane grid.
    slice_mm, spacing_mm
        Slice thickness, and how far the table moves between slices.
    offset_sd_hu
        SD of the offset between scans (scanners differ by 1-8 HU [Scan]; 2 is a design choice).
    slice_offset_sd_hu
        SD of the offset between slices, measured 0.65 HU.
    beam_hardening
        Factor on the patient's interpetrous bar, streaks and cupping.
    edge_mm
        Width of an edge in plane.
    tilt_deg
        Gantry tilt about the patient's left-right axis; above 0 the front of a slice lies higher than its back.
    margin_mm
        What is scanned below the brain's lower end (foramen magnum) and above the vertex, mm; < 0 cuts the brain off.
    training
        False: kept for tests on a scanner never trained on.
    """

    name: str
    noise_sd_hu_at_5mm: float
    autocorrelation: tuple[float, float, float, float, float]
    pixel_mm: float
    matrix: int
    slice_mm: float
    spacing_mm: float
    offset_sd_hu: float = 2.0
    slice_offset_sd_hu: float = 0.65
    beam_hardening: float = 1.0
    edge_mm: float = 1.0
    tilt_deg: float = 0.0
    margin_mm: tuple[float, float] = (12.0, 18.0)
    training: bool = True

    @property
    def plane_distance_mm(self) -> float:
        """Distance of neighbouring slices along their normal, mm: less than the table's step where slices tilt."""
        return self.spacing_mm * float(np.cos(np.radians(self.tilt_deg)))

    @property
    def covers_brain(self) -> bool:
        """Whether a scan reaches from the foramen magnum to the vertex."""
        return min(self.margin_mm) >= 0


SCANNERS: dict[str, Scanner] = {
    s.name: s
    for s in (
        Scanner("standard_5mm", 3.7, GE_AUTOCORRELATION, 0.488, 512, 5.0, 5.0),
        Scanner("thin_1mm", 3.6, GE_AUTOCORRELATION, 0.45, 512, 1.0, 1.0, beam_hardening=0.7, edge_mm=0.8),
        Scanner("soft_4mm", 3.0, SOFT_AUTOCORRELATION, 0.43, 512, 4.0, 4.0, beam_hardening=0.9, edge_mm=1.3),
        Scanner("tilted_5mm", 3.8, GE_AUTOCORRELATION, 0.469, 512, 5.0, 5.0, beam_hardening=1.1, tilt_deg=15.0),
        Scanner("sharp_3mm", 4.0, SHARP_AUTOCORRELATION, 0.46, 512, 3.0, 3.0, beam_hardening=0.8, edge_mm=0.8),
        Scanner(
            "external_2_5mm",
            4.2,
            SHARP_AUTOCORRELATION,
            0.47,
            512,
            2.5,
            2.5,
            offset_sd_hu=3.0,
            slice_offset_sd_hu=0.8,
            beam_hardening=1.2,
            edge_mm=0.8,
            training=False,
        ),
    )
}

#: CT angiography: thin slices of a helical scan at a lower dose [d].
CTA_PROTOCOL = Scanner("cta_thin", 5.0, GE_AUTOCORRELATION, 0.45, 512, 1.0, 1.0, beam_hardening=0.8, edge_mm=0.8)
