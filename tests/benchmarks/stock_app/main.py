"""An app for the stock MONAI Label server: its one task reads the image, infers nothing and writes two float maps.

It is what MONAI Label's own documentation leads to: `BasicInferTask`, MONAI's loader, the stock writer for each map.
"""

import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from monai.transforms import LoadImaged
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.tasks.infer_v2 import InferType
from monailabel.tasks.infer.basic_infer import BasicInferTask
from monailabel.transform.writer import Writer

from tests.benchmarks.maps import maps, shape_of_run


class NoOpTask(BasicInferTask):
    """Hands out maps that were made beforehand, as a stored zip; ``params`` may name ``seconds`` to be busy."""

    def __init__(self) -> None:
        super().__init__(None, None, InferType.OTHERS, [], 3, "two maps out of nothing")
        maps(shape_of_run())

    def is_valid(self) -> bool:
        """It has no network, and needs none."""
        return True

    def pre_transforms(self, data: dict[str, Any] | None = None) -> list[Any]:
        """The stock way to read."""
        return [LoadImaged(keys="image")]

    def post_transforms(self, data: dict[str, Any] | None = None) -> list[Any]:
        """None: the maps are on the image's grid."""
        return []

    def run_inferer(self, data: dict[str, Any], convert_to_batch: bool = True, device: str = "cpu") -> dict[str, Any]:
        """Nothing, for as long as was asked."""
        time.sleep(float(data.get("seconds", 0)))
        return data | maps(tuple(data["image"].shape))

    def writer(
        self, data: dict[str, Any], extension: str | None = None, dtype: Any = None
    ) -> tuple[str, dict[str, Any]]:
        """The stock writer, once a map, and a zip of both."""
        with tempfile.NamedTemporaryFile(suffix=".zip", delete=False) as file, zipfile.ZipFile(file, "w") as archive:
            for name in ("tmax", "cbf"):
                written, _ = Writer(label=name, ref_image="image")(data | {"result_extension": ".nii.gz"})
                archive.write(written, f"{name}.nii.gz")
                Path(written).unlink()
        return file.name, {}


class StockApp(MONAILabelApp):
    """The app."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        super().__init__(app_dir, studies, conf, name="stock", description="a task that does nothing", version="1")

    def init_infers(self) -> dict[str, NoOpTask]:
        """The one task."""
        return {"no_op": NoOpTask()}
