"""PF3xx, shortcuts: what tells chosen from rejected most cheaply, and would be learned instead of the preference."""

from __future__ import annotations

from .audit import ShortcutChecker, audit
from .report import Cue, Report

__all__ = ["Cue", "Report", "ShortcutChecker", "audit"]
