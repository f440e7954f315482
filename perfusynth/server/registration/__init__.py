"""The annotators' registrations: worklist, leases, submissions, and the image that they align to."""
