"""A training run: flags, record, checkpoints, progress, evaluation, TensorBoard."""
