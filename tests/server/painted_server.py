"""``python painted_server.py PORT STUDIES``: the real application and tasks around painted deficits."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import uvicorn

from perfusynth.server.app_folder import app_folder
from perfusynth.server.factory import create_app
from perfusynth.server.jobs.protocol import WorkerSpec

if __name__ == "__main__":
    worker = WorkerSpec(
        factory="painted_deficit:PaintedPipeline.load", search_path=(str(Path(__file__).parent),), device="cpu"
    )
    app = create_app(studies=Path(sys.argv[2]), app_dir=app_folder(), worker=worker)
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False, timeout_graceful_shutdown=3)
