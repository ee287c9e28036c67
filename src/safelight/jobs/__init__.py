"""The verbs' whole work: each is one function of one record of settings, and returns a report."""
