"""PF3xx, shortcuts: what distinguishes chosen from rejected most cheaply, and DPO learns instead."""

from __future__ import annotations

from .audit import ShortcutChecker, audit
from .report import Cue, Report

__all__ = ["Cue", "Report", "ShortcutChecker", "audit"]
