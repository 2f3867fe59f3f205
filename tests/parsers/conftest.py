"""Examples may take their time on a busy machine: what must not take long is measured where it is tested."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("parsers", deadline=None)
settings.load_profile("parsers")
