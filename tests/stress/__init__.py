"""Many processes at work on the same sessions, and a checker that looks for what must never happen."""
