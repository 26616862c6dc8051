"""The reference systems beside their reports: as reported, as run here with the report's mistakes, and corrected.

The mistakes live in this room only. It damages inputs (labels in another order, a split by image) or lifts a guard that
has a name; the rooms below have no wrong switches.
"""
