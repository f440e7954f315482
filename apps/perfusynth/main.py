"""perfusynth's MONAI Label app: lists the installed models and hands every inference to the server's job queue."""

from pathlib import Path

from lib.activelearning.registration_worst import RegistrationWorst
from lib.configs.tasks import infer_tasks, training_tasks
from lib.scoring.registration_error import RegistrationError
from monailabel.interfaces.app import MONAILabelApp

from perfusynth import __version__
from perfusynth.server.case_datastore import CaseDatastore
from perfusynth.server.context import running_server
from perfusynth.server.registration.desk import RegistrationDesk


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
    def registrations(self):
        """Where annotators take registrations and hand them in."""
        return self._registrations

    @property
    def strategies(self):
        """Active-learning strategies by name."""
        return self._strategies

    def init_datastore(self):
        """The studies folder, and the desk of its registrations."""
        datastore = CaseDatastore(Path(self.studies), self._server.settings.image_scan_s)
        self._registrations = RegistrationDesk(datastore, self._server.settings.registration_lease_s)
        return datastore

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

    def init_strategies(self):
        """MONAI Label's own, and the worst registration first."""
        return {**super().init_strategies(), "registration_worst": RegistrationWorst(self._registrations)}

    def init_scoring_methods(self):
        """How wrong each registration probably is."""
        return {"registration_error": RegistrationError(self._registrations)}

    def init_batch_infer(self):
        """None: jobs do this work."""
        return {}

    def on_init_complete(self):
        """Score the registrations once, in this process; sessions and jobs expire in the server around the app."""
        self.scoring({"method": "registration_error"})
