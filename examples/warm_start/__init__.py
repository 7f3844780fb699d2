"""Fine-tuning that starts from another project's weights, and from then on from its own checkpoints."""
