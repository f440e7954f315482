"""The arterial tree, its variants and territories, veins, and the lumen on any grid."""
