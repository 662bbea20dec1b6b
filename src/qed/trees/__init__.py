"""The room `trees`."""
