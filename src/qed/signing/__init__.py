"""The room `signing`."""
