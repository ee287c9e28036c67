"""What makes a compressed picture exact: networks of integers, tables, the range coder, and the file."""
