"""A guard against collapse, for any DPOTrainer: `trainer.add_callback(CollapseGuard())`."""

from .callback import CollapseGuard
from .signals import Alarm, Limits, Record

__all__ = ["Alarm", "CollapseGuard", "Limits", "Record"]
