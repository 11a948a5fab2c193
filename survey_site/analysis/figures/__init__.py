"""Figures of one study's report: as SVG, as PNG, and the data in them as CSV. No Django."""
