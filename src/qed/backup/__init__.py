"""The room `backup`."""
