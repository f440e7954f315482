"""Thresholds, clean-up and windows, the same as the server's; the unit and the source of each stand beside it."""

from __future__ import annotations

#: Tmax thresholds that are always measured, s: a region is Tmax strictly above (RAPID's report; DEFUSE 3).
TMAX_THRESHOLDS_S: tuple[float, ...] = (4.0, 6.0, 8.0, 10.0)
#: The threshold that stands for hypoperfusion, s (Olivot et al., Stroke 2009; DEFUSE 3).
HYPOPERFUSION_S = 6.0
#: Numerator of the hypoperfusion intensity ratio, s (Olivot et al., Stroke 2014).
SEVERE_S = 10.0

#: Core where CBF is strictly below this fraction of normal tissue's (Campbell et al., Stroke 2011; DEFUSE 3).
CORE_FRACTION = 0.30
#: Fractions that the literature uses.
CORE_FRACTIONS: tuple[float, ...] = (0.20, 0.30, 0.34, 0.38)
#: What normal tissue's CBF is taken from: tissue of a short Tmax, or the hemisphere opposite to the deficit.
NORMAL_TISSUE, CONTRALATERAL = "normal_tissue", "contralateral"
#: Tissue with a shorter Tmax is normal, s (Olivot et al., Stroke 2009).
NORMAL_TMAX_S = 4.0
#: CBF of normal tissue is clipped to these percentiles before its median, %: vessels and holes.
CLIP_PERCENTILES: tuple[float, float] = (1.0, 99.0)
#: With less normal tissue than this there is no core, mL. [d]
NORMAL_TISSUE_MINIMUM_ML = 10.0

#: Radius of closing's and opening's ball, voxels of the grid's finest spacing. [d]
BALL_VOXELS = 1.0
#: A neighbour belongs to the ball up to this multiple of its radius. [d]
BALL_TOLERANCE = 1.25
#: Components of a Tmax region and of the core below this are dropped, mL. [d]
MINIMUM_ML, CORE_MINIMUM_ML = 3.0, 1.0

#: A side is named when it holds at least this share of the hypoperfusion, else it is bilateral. [d]
SIDE_SHARE = 0.8

#: How an NCCT is shown, HU: window, level for stroke.
STROKE_WINDOW: tuple[float, float] = (40.0, 40.0)
