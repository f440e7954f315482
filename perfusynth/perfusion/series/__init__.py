"""From a perfusion series in HU to curves: even times, baseline, arteries and veins, what is tissue."""
