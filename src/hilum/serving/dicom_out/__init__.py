"""Answers as DICOM: a heat map and a report for the archive, and the node that receives images and sends them back."""
