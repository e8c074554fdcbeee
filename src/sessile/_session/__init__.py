"""The session object, and the pure rules of its life."""
