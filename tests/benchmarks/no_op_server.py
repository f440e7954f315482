"""``python -m tests.benchmarks.no_op_server PORT STUDIES``: our server around the pipeline that does nothing."""

import sys
from pathlib import Path

import uvicorn

from perfusynth.server.app_folder import app_folder
from perfusynth.server.factory import create_app
from perfusynth.server.jobs.protocol import WorkerSpec
from tests.benchmarks.scan import ROOT

SPEC = WorkerSpec(
    ("ncct_perfusion",),
    factory="tests.benchmarks.no_op:load",
    options="tests.benchmarks.no_op:options",
    search_path=(str(ROOT),),
)

if __name__ == "__main__":
    app = create_app(studies=Path(sys.argv[2]), app_dir=app_folder(), worker=SPEC)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, timeout_graceful_shutdown=3)
