"""Drawn chest X-rays with known truth: simple but recognisable, from a seed, healthy or with planted faults."""

from hilum.data.phantom.dataset import DrawnDataset, draw_dataset
from hilum.data.phantom.drawing import Drawing, draw_image
from hilum.data.phantom.faults import Faults
from hilum.data.phantom.film import Planted
from hilum.data.phantom.findings import FINDINGS
from hilum.data.phantom.machine import MACHINES, Machine
from hilum.data.phantom.patient import Patient, draw_patient
from hilum.data.phantom.plan import CLASS_FINDINGS
from hilum.data.phantom.sheet import draw_contact_sheet
from hilum.data.phantom.write import read_dataset, write_dataset

__all__ = [
    "CLASS_FINDINGS",
    "FINDINGS",
    "MACHINES",
    "Drawing",
    "DrawnDataset",
    "Faults",
    "Machine",
    "Patient",
    "Planted",
    "draw_contact_sheet",
    "draw_dataset",
    "draw_image",
    "draw_patient",
    "read_dataset",
    "write_dataset",
]
