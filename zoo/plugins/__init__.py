"""Plugins: the host that finds them, the owner of each model, and export formats."""
