"""The session's server: what was entered, whether it answers, what it offers, and the consent to send images to it."""

from __future__ import annotations

from collections.abc import Callable

from .background import Background
from .client import Model, PerfuSynthClient
from .connection_check import TASK, Connection, check_connection
from .problems import Problem
from .server_settings import ServerBook, ServerSettings, checked_address, is_loopback

#: How the connection stands.
NONE, CHECKING, CONNECTED, FAILED = "none", "checking", "connected", "failed"


class ServerConnection:
    """One server at a time; everything that takes time happens in the background.

    Parameters
    ----------
    book
        Remembers servers.
    background, changed
        Where the asking is done; what is called when something may look different.
    ask
        Finds out whether a server can be used for what the module does.
    """

    def __init__(
        self,
        book: ServerBook,
        background: Background,
        changed: Callable[[], None],
        ask: Callable[[ServerSettings], Connection] = check_connection,
    ):
        self._book, self._background, self._changed, self._ask = book, background, changed, ask
        self.settings: ServerSettings = book.last()
        self.remember_token = bool(self.settings.token)
        self.state = NONE
        self.text = ""
        self.studies: list[str] = []
        self.version = ""
        self.client: PerfuSynthClient | None = None
        self._models: dict[str, Model] = {}

    @property
    def address(self) -> str:
        """The server's address."""
        return self.settings.address

    @property
    def token(self) -> str:
        """The access token; empty for a server that asks for none."""
        return self.settings.token

    @property
    def ca_file(self) -> str:
        """The own certification authority's file, or nothing."""
        return self.settings.ca_file

    @property
    def tasks(self) -> list[str]:
        """What this module can ask the server for: maps out of an NCCT alone."""
        return [TASK] if TASK in self._models else []

    def model(self, task: str) -> Model | None:
        """The live model of a task."""
        return self._models.get(task)

    def describe(self, task: str) -> str:
        """A task's model in a line."""
        model = self._models[task]
        return f"{model.name} {model.version}, validated on {model.validated_on or 'nothing'}"

    def check(self, address: str, ca_file: str, token: str, remember_token: bool) -> None:
        """Ask a server whether it can be used, and use it if so; no image is sent."""
        self.remember_token = remember_token
        self.client, self._models, self.studies = None, {}, []
        try:
            address = checked_address(address)
        except Problem as problem:
            self._failed(problem)
            return
        # Another server is another recipient: consent is looked up for the address that will be used.
        consent = self._book.of(address).consent
        self.settings = settings = ServerSettings(address, token, ca_file, consent)
        self.state, self.text = CHECKING, f"Asking {address} ..."
        self._background.run("connection", lambda cancelled: self._ask(settings), self._connected, self._failed)
        self._changed()

    @property
    def consent(self) -> bool:
        """Whether the user has agreed that images go to this server."""
        return self.settings.consent

    @property
    def on_this_machine(self) -> bool:
        """Whether the server is this machine itself."""
        return is_loopback(self.address)

    def give_consent(self) -> None:
        """The user agrees that images go to this server, now and later."""
        self.settings = self.settings._replace(consent=True)
        self.client = PerfuSynthClient(self.settings)
        self._remember()
        self._changed()

    def ask_studies(self) -> None:
        """Which studies lie on the server."""
        if self.client is not None:
            client = self.client
            self._background.run("studies", lambda cancelled: client.studies(), self._listed, self._not_listed)

    def _connected(self, connection: Connection) -> None:
        self.state, self.text = CONNECTED, connection.text
        self.version = connection.version
        self._models = {model.task: model for model in connection.models}
        self.client = PerfuSynthClient(self.settings)
        self._remember()
        self.ask_studies()
        self._changed()

    def _failed(self, problem: Problem) -> None:
        self.state, self.text = FAILED, f"{problem.what} {problem.what_to_do}"
        self._changed()

    def _listed(self, studies: list[str]) -> None:
        self.studies = studies
        self._changed()

    def _not_listed(self, problem: Problem) -> None:
        self.text += f" Its studies cannot be listed: {problem.what}"
        self._changed()

    def _remember(self) -> None:
        try:
            self._book.remember(self.settings if self.remember_token else self.settings._replace(token=""))
        except Problem as problem:
            self.text += f" {problem.what} {problem.what_to_do}"
