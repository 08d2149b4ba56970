"""``zoo bench``: how fast a run's sampler draws, in torch and in onnxruntime, and how fast it
could."""
