"""Training runs: launch, loop, checkpoints."""
