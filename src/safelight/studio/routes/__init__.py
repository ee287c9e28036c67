"""Addresses under /api, a file for each place of the page."""
