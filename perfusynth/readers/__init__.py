"""Reading what comes from outside: DICOM series, NRRD, NIfTI, into one `Volume` on an even orthogonal grid."""
