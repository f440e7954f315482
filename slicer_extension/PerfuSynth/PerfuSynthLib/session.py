"""The module's work from server to numbers, free of Qt: what the panel's buttons call, what `tick` brings in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .background import Background
from .grid_volume import GridVolume
from .job_queue import Order, SynthesisQueue
from .node_geometry import hardened_copy, needs_hardening, volume_of
from .problems import Problem
from .result_cache import ResultCache
from .server_settings import ServerBook
from .session_choice import Choice
from .session_connection import CONNECTED, ServerConnection
from .session_keeper import Keeper
from .session_orders import Orders, ScanOrder
from .session_reader import Reader


class Surroundings(NamedTuple):
    """What the session is given of the program that it runs in.

    Attributes
    ----------
    scene
        The MRML scene.
    book, cache
        Where servers and results are remembered.
    renderer_of
        The renderer of a slice view by its name; None where the layout does not show it.
    dicom_tag
        Look-up of DICOM tags for a volume node, or None.
    """

    scene: Any
    book: ServerBook
    cache: ResultCache
    renderer_of: Callable[[str], Any]
    dicom_tag: Callable[[Any], Callable[[str], str] | None]


class Session:
    """Server, choice, orders, reading and what is kept of them. All methods belong to the main thread.

    Attributes
    ----------
    revision
        Counts up when something may look different.
    task
        What the server is asked for.
    """

    def __init__(self, surroundings: Surroundings):
        self._around = surroundings
        self._background = Background()
        self.revision = 0
        self.task = ""
        self._copies: dict[str, str] = {}
        self._in_front = True
        self._not_shown: list[ScanOrder] = []
        self.connection = ServerConnection(surroundings.book, self._background, self._changed)
        self.choice = Choice(
            surroundings.scene, self.connection, surroundings.dicom_tag, self._background, self._changed
        )
        self.orders = Orders(SynthesisQueue(surroundings.cache), self._changed, self._show)
        self.reader = Reader(surroundings.scene, surroundings.renderer_of, self._background, self._changed)
        self.keeper = Keeper(self.reader, self.connection, self._background, self._changed)

    def tick(self) -> None:
        """Bring in what threads and server have done since; called by a timer."""
        self.orders.tick()
        self._background.deliver()
        self.reader.tick()

    def close(self) -> None:
        """Stop all work, also the server's."""
        self.orders.shutdown()
        self._background.shutdown()
        self.reader.let_go()

    def set_in_front(self, in_front: bool) -> None:
        """Whether the module is open: results do not take the views away from somebody who works in another."""
        self._in_front = in_front
        if in_front:
            waiting, self._not_shown = self._not_shown, []
            for order in waiting[-1:]:
                self._show(order)

    # --- the way to a result

    def why_not_now(self) -> str:
        """What is missing for a synthesis; empty when it can start."""
        if self.connection.state != CONNECTED:
            return "Connect to a server first."
        if not self.task:
            return "The server has no model for this."
        if not self.choice.key:
            return "Choose a plain head CT."
        if self.choice.problem is not None:
            return self.choice.problem.what
        return ""

    def needs_consent(self) -> bool:
        """Whether the synthesis would send an image to a server that the user has not agreed to."""
        return not self.choice.study and not self.connection.consent

    def consent_question(self) -> str:
        """What the user is asked once per server."""
        where = "a server on this computer" if self.connection.on_this_machine else "another computer"
        return (
            f"The CT will be sent to {self.connection.address} ({where}).\n\n"
            "What is sent: the voxels and where they lie. What is not sent: names, dates, ids, the rest of the scene. "
            "The head's surface can be seen in the voxels. The server deletes scan and result one hour after the end "
            "unless its administrator has set another time.\n\n"
            "Send images to this server, now and in future?"
        )

    def give_consent(self) -> None:
        """The user has agreed."""
        self.connection.give_consent()

    def doubts_question(self) -> str:
        """What speaks against the chosen volume without forbidding it; empty where nothing does."""
        doubts = [doubt.problem for doubt in self.choice.doubts]
        told = "\n".join(f"{problem.what} {problem.what_to_do}" for problem in doubts)
        return f"{told}\n\nSend it all the same?" if told else ""

    def synthesize(self, overrides: tuple[str, ...] = ()) -> None:
        """Order the maps of the chosen CT; what was refused is told, nothing raises."""
        if self.why_not_now():
            return
        study = self.choice.study
        if not study:
            self._order(self.choice.volume, "", overrides)
            return
        there = self.choice.volume_of_study(study)
        if there is not None:
            self._order(there, study, overrides)
        else:
            self.choice.open_study(lambda node: self._order(node, study, overrides))

    def override(self) -> None:
        """Synthesize all the same what the server refused; the user takes responsibility."""
        failed = self.orders.last_failed(self.choice.key)
        if failed is not None and failed.problem is not None:
            self.synthesize((*failed.order.overrides, failed.problem.code))

    def override_question(self) -> str:
        """What the user is asked before an override; empty where the server's refusal cannot be overridden."""
        failed = self.orders.last_failed(self.choice.key)
        if failed is None or failed.problem is None or "override" not in failed.problem.what_to_do:
            return ""
        return (
            f"The server refused this CT: {failed.problem.what}\n\n"
            "Maps of such a scan may mean nothing. The result will say that you overrode the check. Go on?"
        )

    def fetch_card(self, show: Callable[[str, str], None]) -> None:
        """Fetch the model's card and show it (title, Markdown)."""
        client, model = self.connection.client, self.connection.model(self.task)
        if client is None or model is None:
            return
        title = f"Model card: {model.name} {model.version}"
        task = self.task
        self._background.run(
            "card",
            lambda cancelled: client.card(task),
            lambda text: show(title, text),
            lambda problem: show(title, f"{problem.what} {problem.what_to_do}"),
        )

    def show_order(self, order: ScanOrder) -> None:
        """Show a finished order's maps, where they are still in the scene."""
        if order.result is not None:
            self._show(order)
        else:
            self.reader.open(order.state_id)

    # --- inside

    def _order(self, node: Any, study: str, overrides: tuple[str, ...]) -> None:
        client = self.connection.client
        if client is None:
            return
        try:
            shown = self._hardened(node) if needs_hardening(node) else node
            volume = volume_of(shown)
            # A copy: the user may go on changing the volume while it is sent.
            ncct = GridVolume(np.array(volume.array), volume.affine)
        except Problem as problem:
            self.orders.problem = problem
            self._changed()
            return
        order = Order(self.task, ncct, study, overrides)
        self.orders.submit(client, order, study or node.GetID(), study or node.GetName(), shown.GetID())

    def _hardened(self, node: Any) -> Any:
        """A copy with the volume's transform applied; the last one is replaced, unless a result is read on it."""
        scene = self._around.scene
        last = scene.GetNodeByID(self._copies.pop(node.GetID(), ""))
        if last is not None and not any(order.volume_id == last.GetID() for order in self.orders.all):
            scene.RemoveNode(last)
        copy = hardened_copy(node)
        self._copies[node.GetID()] = copy.GetID()
        return copy

    def _show(self, order: ScanOrder) -> None:
        if not self._in_front:
            self._not_shown.append(order)
            return
        result, order.result = order.result, None  # the scene holds it from now on
        node = self._around.scene.GetNodeByID(order.volume_id)
        for earlier in self.orders.all:
            same = earlier.volume_id == order.volume_id and earlier.measurements == order.measurements
            if same and self.reader.open(earlier.state_id):
                order.state_id = earlier.state_id
                return
        if node is None or result is None:
            self.orders.problem = Problem(
                "volume_gone",
                "The CT of this synthesis is no longer in the scene.",
                "Load it again and synthesize; the result is kept, nothing is sent twice.",
            )
        else:
            try:
                order.state_id = self.reader.show(node, result)
            except Problem as problem:
                self.orders.problem = problem
        self._changed()

    def _changed(self) -> None:
        self.revision += 1
