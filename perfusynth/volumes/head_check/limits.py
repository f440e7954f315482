"""`HeadCheckLimits`: every number of the head check, with where it comes from."""

from dataclasses import dataclass

from perfusynth.volumes.builtin_brain import BrainLimits


@dataclass(frozen=True)
class HeadCheckLimits:
    """Limits of the head check; HU, mm, mL, cm2, degrees. "Own choice" marks what no source gives."""

    # Values
    #: Air in CT is -1000; at least this share of an image with its surroundings is below -500 (own choice).
    air_share: float = 0.01
    #: A scan shifted by one rescale intercept (1024, some 1000) has its soft tissue near 1060 or -990.
    offset_hu: tuple[float, float] = (950.0, 1100.0)
    #: Share of voxels in soft tissue (0 to 80 HU) below which an image is not in HU, unless shifted (own choice; the
    #: head is 15-40 % of a head CT).
    tissue_share: float = 0.02

    # Size and slices
    #: Fewest slices along any axis: a head needs 130 mm, at 10 mm slices 13; 8 leaves the ganglionic levels.
    fewest_slices: int = 8
    #: Smallest extent along any axis, mm: the ganglionic and supraganglionic level with margins.
    smallest_extent_mm: float = 60.0
    #: Slabs above this are told: generators work on 5 mm slabs; Nakat: clots lose 10 HU from thin to 5 mm.
    thick_warn_mm: float = 5.5
    #: Above this an M1 (3 mm) or an insular ribbon is averaged away.
    thick_refuse_mm: float = 10.0

    # Shape
    #: An adult's skull is 500-900 mL of bone; a vault cut from a base-only scan still 60 (own choice).
    bone_ml: float = 50.0
    #: Air inside the skull from which it is an empty (plastic or dry) skull; pneumocephalus stays below 100 mL.
    empty_skull_ml: float = 300.0
    #: Plausible volume inside the skull, mL: adults 1100-1800, small children from 700, cut scans less (told apart
    #: as ``base_cut`` and ``vertex_cut``).
    smallest_brain_ml: float = 300.0
    largest_brain_ml: float = 2200.0
    #: Share of the brain's surroundings that may be air or fat; a hemicraniectomy of 110 cm2 gives about 0.15.
    open_share: float = 0.30
    #: Share of bone in the first 9 mm around the upper brain below which there is no skull (a child's: 0.4).
    vault_share: float = 0.2

    # Skull
    #: A block's maximum from which it holds bone of the vault, HU (thin squama in 7 mm slices: 150-300).
    vault_bone_hu: float = 140.0
    #: A point of the vault this far from any bone lies in a hole at least twice as wide; sutures are < 3 mm wide,
    #: burr holes 14 mm.
    hole_mm: float = 9.0
    #: Area of such points from which a hole is told, cm2: holes of about 30 mm and wider.
    hole_cm2: float = 1.0

    # Coverage
    #: Cross-section of brain cut open at the top that is told; a cap of 3 mm on a sphere of 70 mm has 13 cm2.
    vertex_warn_cm2: float = 13.0
    #: Missing height at the vertex, mm, that refuses: the upper fifth of the brain.
    vertex_refuse_mm: float = 25.0
    #: Cross-section open at the base that is told: the foramen magnum alone has 8-10 cm2.
    base_warn_cm2: float = 20.0
    #: Brain height left above an open base that refuses: without 70 mm the ganglionic level (75 mm below the
    #: vertex in MNI space) is missing.
    base_refuse_mm: float = 70.0

    # Densities
    #: Blood: above the head's own median by this much (blood 50-95 HU, grey matter +7, median 27-32), HU.
    blood_contrast_hu: float = 18.0
    #: Added to it at a depth of 4 mm below the inner table, falling by e every 2.5 mm: partial volume of the skull.
    blood_skull_hu: float = 25.0
    #: Smoothing before the comparison (SD, mm): a 2 mm clot or a 2 mm falx sinks below the limit.
    blood_smoothing_mm: float = 2.0
    #: Smaller regions do not count: the straight sinus and the torcular give up to 1 mL.
    blood_part_ml: float = 1.0
    #: Volume of all dense regions, mL.
    blood_warn_ml: float = 1.5
    blood_refuse_ml: float = 5.0
    #: A dense region with more than this share above 100 HU is calcification or contrast, not blood (< 95 HU).
    calcified_share: float = 0.15
    #: Vessels with contrast: 1 mm blocks above this, HU (CTA 350, venous phase 120-150; hyperdense clot < 70).
    vessel_hu: float = 100.0
    #: Distance from the inner table and from the midplane outside which vessels are sought: dura, siphon, falx.
    vessel_depth_mm: float = 5.0
    vessel_midplane_mm: float = 3.0
    #: A vessel is a dense region at least this long (calcified plexus and pallidum: 10-20 mm) and this thin.
    vessel_length_mm: float = 24.0
    vessel_section_mm2: float = 40.0
    #: Total length that refuses: both middle cerebral arteries have 2 x 40 mm and more.
    vessels_refuse_mm: float = 50.0
    #: Metal inside the brain: no calcification reaches 1800 HU in a voxel of an NCCT; 0.01 mL is an aneurysm clip's.
    metal_hu: float = BrainLimits.metal_hu
    metal_ml: float = 0.01
    #: Metal near the brain (plates, electrodes): enamel and petrous bone stay below 3000 HU.
    metal_near_hu: float = 3000.0
    metal_near_mm: float = 20.0
    metal_near_ml: float = 0.05
    #: Air deep inside the brain, HU and mL: surgery, trauma.
    air_hu: float = -200.0
    air_ml: float = 0.5
    #: Noise SD inside the brain that is told: 1 mm slices have about 8 HU (Nak), a bone kernel 20 and more.
    noise_hu: float = 14.0

    # Pose
    #: Rotation of the midplane that is told, degrees: head holders keep it below 15.
    pose_deg: float = 22.0
