"""Domain values: immutable, one noun a file, without I/O."""
