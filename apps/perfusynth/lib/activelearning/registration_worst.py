"""Gives annotators the registration that is most probably wrong."""

from monailabel.interfaces.tasks.strategy import Strategy


class RegistrationWorst(Strategy):
    """The NCCT of the worst case that no annotator has spoken about and none has open.

    Parameters
    ----------
    registrations
        The server's desk of registrations.
    """

    def __init__(self, registrations):
        super().__init__("The worst registration of NCCT and perfusion that nobody has checked")
        self._registrations = registrations

    def __call__(self, request, datastore):
        """Hand out a case; called by MONAI Label with the annotator's name as ``client_id``."""
        entry, _ = self._registrations.next(request.get("client_id", ""))
        if entry is None:
            return None
        self._registrations.score()
        return {"id": f"{entry.case}__ncct", "fixed": f"{entry.case}__fixed"}
