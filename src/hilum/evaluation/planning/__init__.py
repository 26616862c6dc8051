"""How many images a question needs, and what so many images can answer."""

from hilum.evaluation.planning.answers import Answer, Plan, Wish, answer_with, plan_for
from hilum.evaluation.planning.clustering import Clustering
from hilum.evaluation.planning.pilot import PairedPilot, Pilot, PilotFigure

__all__ = [
    "Answer", "Clustering", "PairedPilot", "Pilot", "PilotFigure", "Plan", "Wish", "answer_with", "plan_for",
]  # fmt: skip
