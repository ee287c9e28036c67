"""Ladder VAEs of sets of pictures: data, objectives, training, export."""
