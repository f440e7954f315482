"""Names that reports call the methods by whose figures others are measured."""

CONSTANT = "constant normal map"
MIRRORED = "each side against the other"
INCIDENCE = "incidence map"
SIGN_ONLY = "signs only"
CEILING = "information ceiling U"
#: The incidence map as the ceiling has it, on its lattice and with exact anatomy: what skill F starts from.
CEILING_PRIOR = "prior of the ceiling"
