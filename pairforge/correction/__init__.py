"""Correction of answers: whose name it is, which part of the answer counts, and what is written instead."""
