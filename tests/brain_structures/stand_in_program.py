"""Stands in TotalSegmentator's place where its troubles are to be seen; the test puts an interpreter's line before it.

What it does is in the file ``order`` beside it: ``good`` (HU above 150 is brain), ``slowly`` (the same), ``exit N``,
``signal N``, ``sleep`` (with a child), ``empty``, ``speck``, ``shifted``, ``cropped``, ``no mask``, ``no report``,
``damaged``. What it was given goes to the file ``seen`` there.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("-i", "-o", "--report", "--task", "--roi_subset", "--device", "--nr_thr_saving"):
        parser.add_argument(name)
    parser.add_argument("--fast", action="store_true")
    given = parser.parse_args()
    own = Path(sys.argv[0]).parent
    order = (own / "order").read_text()
    image = nib.load(given.i)
    home, models = Path(os.environ["TOTALSEG_HOME_DIR"]), Path(os.environ["TOTALSEG_WEIGHTS_PATH"])
    child = subprocess.Popen(["sleep", "60"]) if order == "sleep" else None
    seen = {
        "pid": os.getpid(),
        "child": child.pid if child else None,
        "arguments": vars(given),
        "environment": dict(os.environ),
        "models": sorted(str(path.relative_to(models)) for path in models.glob("*/*/fold_0/*")),
        "configuration": json.loads((home / "config.json").read_text()),
        "input": [int(image.header["sform_code"]), image.header["descrip"].item().decode(), *image.header.extensions],
    }
    (own / "seen.part").write_text(json.dumps(seen))
    (own / "seen.part").rename(own / "seen")
    print("Resampling...\nPredicting...", flush=True)
    for done in range(4):
        print(f"\r {25 * done}%|##  | {done}/4 [00:00<00:00, 9.29it/s]", end="", file=sys.stderr, flush=True)
        time.sleep(0.3 if order == "slowly" else 0)
    if order == "sleep":
        time.sleep(60)
    if order.startswith("signal"):
        os.kill(os.getpid(), int(order.split()[1]))
    if order.startswith("exit"):
        print(f"\nTraceback\nRuntimeError: DOE_JOHN in {given.i} and C:\\DOE is no good", file=sys.stderr)
        sys.exit(int(order.split()[1]))
    found = (np.asarray(image.dataobj) > 150).astype(np.uint8)
    affine = image.affine.copy()
    if order == "empty":
        found[:] = 0
    if order == "speck":
        found[:] = 0
        found[10:12, 10:12, 5:6] = 1
    if order == "shifted":
        affine[2, 3] += 0.1
    if order == "cropped":
        found = found[:, :, 1:]
    Path(given.o).mkdir()
    target = Path(given.o) / "brain.nii.gz"
    if order != "no mask":
        nib.save(nib.Nifti1Image(found, affine), target)
    if order == "damaged":
        target.write_bytes(target.read_bytes()[:100])
    if order != "no report":
        report = {"totalsegmentator_version": "9.9", "nnunetv2_version": "8", "torch_version": "7", "device": "cpu"}
        Path(given.report).write_text(json.dumps(report))


if __name__ == "__main__":
    main()
