"""Scores a case by how probably its registration is wrong."""

from monailabel.interfaces.tasks.scoring import ScoringMethod


class RegistrationError(ScoringMethod):
    """Copies ``probability_over_2mm`` of each ``case.json`` into its NCCT's info, as ``registration_error``.

    Parameters
    ----------
    registrations
        The server's desk of registrations; it scores again whenever it hands out or takes in a case.
    """

    def __init__(self, registrations):
        super().__init__("Probability that NCCT and perfusion are registered with an error of more than 2 mm")
        self._registrations = registrations

    def __call__(self, request, datastore):
        """Score all cases; called by MONAI Label itself, in the server's own process."""
        return self._registrations.score()
