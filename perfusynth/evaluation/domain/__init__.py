"""What training patients look like to a model: the reference of the out-of-domain score, and how it behaves."""
