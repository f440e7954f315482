"""What is drawn for one patient's diffusion and FLAIR images: tissue, lesion, protocol, coil and noise.

Sources: docs/phantom.md (citation keys in brackets); ``d`` marks a design choice.
"""

from dataclasses import dataclass

import numpy as np

from perfusynth.phantom.lattice import clipped_normal, stream

#: ADC, 1e-6 mm2/s (mean, SD between patients), of cortex, deep grey and white matter [Hel, AJNR 21:1078]. Of pure
#: tissue: 890, 750 and 700 are what CSF in the voxels makes of 855, 742 and 694 at 1.8 x 1.8 x 5 mm (measured).
ADC_CORTEX, ADC_DEEP_GREY, ADC_WHITE = (855.0, 40.0), (742.0, 30.0), (694.0, 30.0)
#: SD between patients of the lesion's ADC ratio about its time course [d].
LESION_ADC_SD = 0.06
#: Time after onset at which a lesion's FLAIR ratio passes `FLAIR_POSITIVE`: median h, SD of the logarithm. Fitted so
#: that 50 % of patients scanned within 3 h and 93 % of those scanned at 3-6 h are positive [Thom].
FLAIR_POSITIVE_MEDIAN_H, FLAIR_POSITIVE_LOG_SD = 2.05, 0.47
#: Signal of white matter over the noise's SD: median and SD of the logarithm, b1000 trace image and FLAIR. The first
#: is fitted to the lesion's CNR 8.7 +- 6.4 [bval], the second a design choice [d].
DWI_SNR, FLAIR_SNR = (15.0, 0.35), (32.0, 0.2)
#: Echo times of the diffusion and the FLAIR sequence, ms: limits [d, usual protocols].
DWI_TE_MS, FLAIR_TE_MS = (75.0, 100.0), (95.0, 135.0)
#: SD of the logarithm of the receiver coil's sensitivity over the head: limits [d].
COIL_SHADING = (0.05, 0.14)


@dataclass(frozen=True)
class MrTraits:
    """ADC of normal tissue (1e-6 mm2/s), the lesion's course, protocol, coil and noise of one patient's MR.

    ``lesion_adc_shift`` is added to the lesion's ADC ratio; ``flair_positive_h`` is the time after onset at which its
    FLAIR ratio passes 1.10; ``dwi_snr`` and ``flair_snr`` are of white matter.
    """

    adc_cortex: float
    adc_deep_grey: float
    adc_white: float
    lesion_adc_shift: float
    flair_positive_h: float
    dwi_te_ms: float
    flair_te_ms: float
    dwi_snr: float
    flair_snr: float
    coil_shading: float


def draw_mr(seed: int) -> MrTraits:
    """Draw what one patient's MR images depend on."""
    rng = stream(seed, "mr")

    def lognormal(median: float, log_sd: float) -> float:
        return median * float(np.exp(clipped_normal(rng, 0.0, log_sd)))

    return MrTraits(
        adc_cortex=clipped_normal(rng, *ADC_CORTEX),
        adc_deep_grey=clipped_normal(rng, *ADC_DEEP_GREY),
        adc_white=clipped_normal(rng, *ADC_WHITE),
        lesion_adc_shift=clipped_normal(rng, 0.0, LESION_ADC_SD),
        flair_positive_h=lognormal(FLAIR_POSITIVE_MEDIAN_H, FLAIR_POSITIVE_LOG_SD),
        dwi_te_ms=float(rng.uniform(*DWI_TE_MS)),
        flair_te_ms=float(rng.uniform(*FLAIR_TE_MS)),
        dwi_snr=lognormal(*DWI_SNR),
        flair_snr=lognormal(*FLAIR_SNR),
        coil_shading=float(rng.uniform(*COIL_SHADING)),
    )
