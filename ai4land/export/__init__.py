"""Emulators for host models: bundles, stepping, and fields on their own grids."""
