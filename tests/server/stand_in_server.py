"""``python stand_in_server.py PORT STUDIES``: the real application and server around the stand-in pipeline."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import stand_ins
import uvicorn

from perfusynth.server.app_folder import app_folder
from perfusynth.server.factory import create_app

if __name__ == "__main__":
    app = create_app(
        studies=Path(sys.argv[2]), app_dir=app_folder(), worker=stand_ins.SPEC, tasks=lambda: stand_ins.TASKS
    )
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False, timeout_graceful_shutdown=3)
