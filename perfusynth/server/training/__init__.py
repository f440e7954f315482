"""Training asked for over HTTP: typed parameters, one run at a time, in a process of its own; it makes candidates."""
