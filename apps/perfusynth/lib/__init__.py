"""MONAI Label's own layout: infers, configs."""
