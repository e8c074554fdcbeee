"""The demonstration: a small ship chandler's shop that remembers its visitors. Start it with ``sessile demo``."""
