"""What is stored: data and payload, tombstones, locks, and the cookie as it is stored."""
