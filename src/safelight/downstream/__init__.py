"""Whether an augmentation helps a classifier: arms that differ in nothing else, trained side by side, and a verdict."""
