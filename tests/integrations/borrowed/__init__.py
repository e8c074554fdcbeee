"""Tests of others that ours have to pass, as they are.

``sessions_tests`` is from Django 5.2.19, tests/sessions_tests, under the licence beside it (BSD, 3 clauses). Unchanged.
"""
