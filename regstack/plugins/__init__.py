"""How backends are found, checked and called."""
