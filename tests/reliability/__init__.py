"""What survives when processes and servers are killed."""
