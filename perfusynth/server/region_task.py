"""The hypoperfusion as a label: a second task on the model of another, for clients that know segmentations only.

The label map holds one label. The core lies inside the hypoperfusion, and a voxel of a label map has one value: as a
second label it would be missing from the first one's volume.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from perfusynth.server.tasks import TaskInfo

#: Region tasks, and the task whose maps each takes its region from.
REGION_TASKS: Final = {"ncct_hypoperfusion": "ncct_perfusion"}
#: The label map in the result's zip, and the value of the region's voxels in it.
REGION_FILE: Final = "hypoperfusion.nii.gz"
REGION_VALUE: Final = 1


def region_tasks(tasks: Mapping[str, "TaskInfo"]) -> dict[str, "TaskInfo"]:
    """The region tasks of those tasks that have one."""
    return {name: _region_task(name, tasks[source]) for name, source in REGION_TASKS.items() if source in tasks}


def _region_task(name: str, source: "TaskInfo") -> "TaskInfo":
    # Here, as scipy comes along: the worker's protocol and the command line need the names above only.
    from perfusynth.perfusion.notices import notices_for, short_notice
    from perfusynth.perfusion.regions import RegionSettings

    threshold = f"Tmax > {RegionSettings().hypoperfusion_s:g} s"
    banner = short_notice(notices_for("synthetic", source.details["validated_on"]))
    output = {
        "name": "hypoperfusion",
        "unit": "",
        "range": [0, REGION_VALUE],
        "kind": "label",
        "description": f"{threshold}, cleaned as the volumes are",
    }
    return replace(
        source,
        name=name,
        description=f"{threshold} as a label, by the model of {source.name}. {banner}.",
        details=source.details | {"outputs": [output]},
        source=source.name,
        # The one place where every client shows what this is: the name of the segment.
        labels={f"{threshold}, {banner}": REGION_VALUE},
        label_file=REGION_FILE,
        trainable=False,
    )
