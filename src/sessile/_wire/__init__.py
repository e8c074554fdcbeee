"""What travels, as bytes: signatures, sealed ids, and who is believed about https."""
