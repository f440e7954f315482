"""CT perfusion: bolus, tracer kinetics, frames, and the maps that are measured from them."""
