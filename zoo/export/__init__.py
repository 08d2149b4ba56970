"""Graphs of a model, for exporters, and the metadata of exported files."""
