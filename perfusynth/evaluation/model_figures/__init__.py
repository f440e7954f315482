"""What a model can do: figures of its maps on patients that it has never seen, beside baselines and the ceiling."""
