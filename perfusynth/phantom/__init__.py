"""Digital stroke patients: one seed gives a head, a stroke, its perfusion maps and the NCCT that a scanner would show.

Version 0.1 is a first, simple but physical phantom. What it leaves out is listed in `perfusynth.phantom.version`.
"""
