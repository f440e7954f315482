"""Synthesis as jobs: ids, the queue, and one worker process a device."""
