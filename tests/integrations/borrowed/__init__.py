"""Tests of others that ours have to pass, as they are.

``starlette/session.py`` is from Starlette 1.10.0, tests/middleware/test_session.py, and ``sessions_tests`` from Django
5.2.19, tests/sessions_tests, each under the licence beside it (BSD, 3 clauses). Unchanged.
"""
