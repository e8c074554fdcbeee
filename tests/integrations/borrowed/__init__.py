"""Tests of others that ours have to pass, as they are.

``starlette/session.py`` is from Starlette 1.10.0, tests/middleware/test_session.py, under the licence beside it (BSD, 3
clauses). Unchanged.
"""
