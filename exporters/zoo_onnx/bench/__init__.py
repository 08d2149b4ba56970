"""``zoo bench``: throughput of a sampler in torch and onnxruntime, and the machine's limit."""
