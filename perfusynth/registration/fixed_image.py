"""What of a perfusion series is registered with the plain CT: one image, of the head where its maps have it."""

from perfusynth.perfusion.series.baseline import find_bolus
from perfusynth.perfusion.series.timing import TimingSettings, on_even_times
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.registration.frames import correct_motion, estimate_motion
from perfusynth.registration.registration_settings import RegistrationSettings
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.geometry import series_nearest_ras
from perfusynth.volumes.series import Series
from perfusynth.volumes.volume import Volume


def fixed_image(
    series: Series, settings: RegistrationSettings | None = None, *, on_progress: OnProgress = ignore_progress
) -> Volume:
    """Mean over time, or over the frames before the contrast, of the series as its maps are made: even in time, and
    every frame brought to the reference position.

    Returns
    -------
    float32 HU, axes nearest to RAS.

    Raises
    ------
    InputError
        Of `on_even_times`, `estimate_motion` and `correct_motion`; for the baseline of `BuiltinBrain` and `find_bolus`.
    """
    settings = settings or RegistrationSettings()
    even, _ = on_even_times(series, TimingSettings())
    still = series_nearest_ras(even)
    if settings.motion is not None:
        motion = estimate_motion(still, settings.motion, on_progress=lambda _, f: on_progress("motion", 0.4 * f))
        corrected = correct_motion(
            still, motion, settings.motion, on_progress=lambda _, f: on_progress("motion", 0.4 + 0.6 * f)
        )
        still = corrected.series
    whole = still.mean(slice(None))
    if settings.fixed_frames == "mean":
        return whole
    return still.mean(find_bolus(still, BuiltinBrain().extract(whole).mask).baseline)
