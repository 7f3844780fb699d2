"""What trains a module: optimizers, schedulers, scalers and averaged weights, as recipes and alive."""
