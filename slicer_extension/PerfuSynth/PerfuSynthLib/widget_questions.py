"""The few questions that the panel asks in a window of their own."""

from __future__ import annotations

import slicer

from .session import Session


def confirmed(question: str) -> bool:
    """Whether the user says yes."""
    return bool(slicer.util.confirmYesNoDisplay(question, windowTitle="PerfuSynth"))


def may_send_to_server(session: Session) -> bool:
    """Whether the user agrees that images go to this server; asked once per server, then remembered."""
    if session.connection.consent:
        return True
    if not confirmed(session.consent_question()):
        return False
    session.give_consent()
    return True
