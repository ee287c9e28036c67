"""What all jobs on many files share: which files, what is done already, and how they pass through a model."""
