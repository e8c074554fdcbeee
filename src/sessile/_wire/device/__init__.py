"""What travels when a session is bound to a device (Device Bound Session Credentials): proofs, challenges, headers."""
