"""``python small_models.py FOLDER random|threshold 3mm|1.5mm``: small models in TotalSegmentator's own folder format.

Run by the Python of TotalSegmentator's environment. ``random`` is initialised at random, with ``brain`` as the only
class beside the background. ``threshold`` passes the density through and calls brain what is above `THRESHOLD_HU`: what
the whole program must find is then known of any image.
"""

import json
import sys
from pathlib import Path

import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from totalsegmentator.map_tasks_config import TASK_ID_WEIGHTS_CONFIGS
from totalsegmentator.map_to_binary import class_map, class_map_5_parts, map_taskid_to_partname_ct

#: HU above which the threshold model sees brain.
THRESHOLD_HU = 150.0
#: nnU-Net's normalisation of CT: (HU - mean) / SD.
MEAN_HU, SD_HU = 40.0, 300.0
#: Number, voxel size in mm and trainer: of `--fast` and without it, each with the one that finds the rough place.
COARSE, FINE = "nnUNetTrainer_4000epochs_NoMirroring", "nnUNetTrainerNoMirroring"
MODELS = {
    "3mm": ((297, 3.0, COARSE), (298, 6.0, COARSE)),
    "1.5mm": (*((number, 1.5, FINE) for number in range(291, 296)), (298, 6.0, COARSE)),
}
NETWORK = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
IMPORTED = ["conv_op", "norm_op", "dropout_op", "nonlin"]
#: Of classes that are never seen; beyond -1e4 nnU-Net's half-precision logits would overflow.
NEVER = -50.0


def architecture(norm: bool) -> dict:
    """Two stages of four and eight channels."""
    return {
        "n_stages": 2,
        "features_per_stage": [4, 8],
        "kernel_sizes": [[3] * 3] * 2,
        "strides": [[1] * 3, [2] * 3],
        "n_conv_per_stage": [1, 1],
        "n_conv_per_stage_decoder": [1],
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "conv_bias": True,
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d" if norm else None,
        "norm_op_kwargs": {"affine": True} if norm else None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {},
    }


def configuration(arch: dict, mm: float) -> dict:
    """What nnU-Net reads of a model's ``plans.json``."""
    resample = "resample_data_or_seg_to_shape"
    linear = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
    return {
        "data_identifier": "x",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [64 if mm < 2 else 32] * 3,
        "median_image_size_in_voxels": [32.0] * 3,
        "spacing": [mm] * 3,
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "batch_dice": True,
        "resampling_fn_data": resample,
        "resampling_fn_data_kwargs": linear | {"order": 3},
        "resampling_fn_seg": resample,
        "resampling_fn_seg_kwargs": linear | {"is_seg": True},
        "resampling_fn_probabilities": resample,
        "resampling_fn_probabilities_kwargs": linear,
        "architecture": {"network_class_name": NETWORK, "arch_kwargs": arch, "_kw_requires_import": IMPORTED},
    }


def threshold_network(net: torch.nn.Module, brain: int | None) -> None:
    """Set weights so that the density passes through unchanged (in order) to the logit of the brain."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        first = net.encoder.stages[0][0].convs[0].conv
        first.weight[0, 0, 1, 1, 1] = 1.0
        joined = net.decoder.stages[0].convs[0].conv
        joined.weight[0, joined.in_channels // 2, 1, 1, 1] = 1.0  # the skip's first channel follows the upsampled ones
        last = net.decoder.seg_layers[-1]
        last.bias.fill_(NEVER)
        last.bias[0] = 0.0
        if brain is not None:
            last.weight[brain, 0] = 10.0
            last.bias[brain] = -10.0 * (THRESHOLD_HU - MEAN_HU) / SD_HU


def random_network(net: torch.nn.Module, brain: int | None) -> None:
    """Leave the random weights, and let background and brain alone be seen."""
    with torch.no_grad():
        bias = net.decoder.seg_layers[-1].bias
        bias.fill_(NEVER)
        bias[[0] if brain is None else [0, brain]] = 0.0


def classes(task: int) -> dict[str, int]:
    """A model's labels; at 1.5 mm each has a part of them, and one has the brain."""
    part = map_taskid_to_partname_ct.get(task)
    named = class_map_5_parts[part] if part else class_map["total"]
    return {"background": 0, **{name: number for number, name in named.items()}}


def write_models(folder: Path, kind: str, resolution: str) -> None:
    """Write a resolution's models below ``folder``."""
    for task, mm, trainer in MODELS[resolution]:
        labels = classes(task)
        model = folder / TASK_ID_WEIGHTS_CONFIGS[task]["foldername"] / f"{trainer}__nnUNetPlans__3d_fullres"
        (model / "fold_0").mkdir(parents=True)
        arch = architecture(norm=kind == "random")
        statistics = {"max": 2000.0, "mean": MEAN_HU, "median": MEAN_HU, "min": -1000.0, "std": SD_HU}
        plans = {
            "dataset_name": model.parent.name,
            "plans_name": "nnUNetPlans",
            "original_median_spacing_after_transp": [mm] * 3,
            "original_median_shape_after_transp": [32] * 3,
            "image_reader_writer": "NibabelIOWithReorient",
            "transpose_forward": [0, 1, 2],
            "transpose_backward": [0, 1, 2],
            "configurations": {"3d_fullres": configuration(arch, mm)},
            "experiment_planner_used": "x",
            "label_manager": "LabelManager",
            "foreground_intensity_properties_per_channel": {
                "0": statistics | {"percentile_00_5": -1000.0, "percentile_99_5": 1000.0}
            },
        }
        (model / "plans.json").write_text(json.dumps(plans))
        described = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 1, "file_ending": ".nii.gz"}
        (model / "dataset.json").write_text(json.dumps(described))
        torch.manual_seed(0)
        net = get_network_from_plans(NETWORK, arch, IMPORTED, 1, len(labels), deep_supervision=False)
        {"random": random_network, "threshold": threshold_network}[kind](net, labels.get("brain"))
        checkpoint = {
            "network_weights": net.state_dict(),
            "trainer_name": trainer,
            "init_args": {"configuration": "3d_fullres"},
            "inference_allowed_mirroring_axes": None,
        }
        torch.save(checkpoint, model / "fold_0" / "checkpoint_final.pth")


if __name__ == "__main__":
    write_models(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
