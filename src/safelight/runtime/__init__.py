"""Use a bundle on this machine. `graphs` runs its graphs; each task has a folder."""
