"""A model that leaves Python: TorchScript, torch.export and ONNX as formats for the model alone."""
