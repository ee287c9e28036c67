"""Numbers with a unit and a source."""
