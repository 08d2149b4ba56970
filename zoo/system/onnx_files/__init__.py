"""ONNX files of strangers: what they compute, and in how much memory, before they run."""
