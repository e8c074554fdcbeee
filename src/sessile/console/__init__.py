"""The operator's console: pages that list sessions and end them."""
