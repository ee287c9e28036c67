"""All jobs in a browser, on one's own machine: HTTP in, calls of the same functions, HTTP out."""
