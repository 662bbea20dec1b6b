"""What this program is and of which version."""

from __future__ import annotations

VERSION = "0.1.0"
