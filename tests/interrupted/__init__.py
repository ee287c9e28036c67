"""Commands that are killed at random moments, and run again: the result must be that of an undisturbed run."""
