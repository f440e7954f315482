"""perfusynth's MONAI Label app: lists the installed models and hands every inference to the server's job queue."""

from pathlib import Path

from lib.configs.tasks import infer_tasks, training_tasks
from monailabel.interfaces.app import MONAILabelApp

from perfusynth import __version__
from perfusynth.server.case_datastore import CaseDatastore
from perfusynth.server.context import running_server


class PerfusynthApp(MONAILabelApp):
    """The app; refuses to load without perfusynth's own ASGI application around it.

    Parameters
    ----------
    app_dir, studies, conf
        As MONAI Label passes them.
    """

    def __init__(self, app_dir, studies, conf):
        self._server = running_server()
        if studies.startswith(("http://", "https://")):
            raise ValueError("This server reads studies from a folder; give one with --studies.")
        super().__init__(
            app_dir=app_dir,
            studies=studies,
            conf=conf,
            name="perfusynth",
            description="CT perfusion maps synthesised from a plain head CT. SYNTHETIC - research use only.",
            version=__version__,
        )

    @property
    def strategies(self):
        """Active-learning strategies by name."""
        return self._strategies

    def init_datastore(self):
        """The studies folder."""
        return CaseDatastore(Path(self.studies), self._server.settings.image_scan_s)

    def init_infers(self):
        """The tasks that can be asked for."""
        return infer_tasks(self._server)

    def info(self):
        """MONAI Label's description, with the models that are live now."""
        self._infers, self._trainers = self.init_infers(), self.init_trainers()
        return super().info()

    def init_trainers(self):
        """One task per installed model."""
        return training_tasks(self._server)

    def init_batch_infer(self):
        """None: jobs do this work."""
        return {}

    def on_init_complete(self):
        """Nothing to start: sessions and jobs expire in the server around the app."""
