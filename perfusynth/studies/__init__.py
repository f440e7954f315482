"""Raw studies to case folders: DICOM trees, the ISLES'24 layout and existing case folders, without identities."""
