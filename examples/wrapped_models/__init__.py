"""One checkpoint for a model in any wrapper: DataParallel, torch.compile, an average of its weights, or none."""
