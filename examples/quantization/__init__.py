"""A classifier in eight bits, quantized after its training or during it."""
