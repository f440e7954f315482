"""Do the digital patients look like published patients? Figures of each patient, rows of a table, pictures, a page."""
