"""What a checkpoint holds: tensors down to their bits, values, state dicts, and nested payloads of these."""
