"""The one pipeline: read, check, mask, generate, resample, clean, measure, package."""
