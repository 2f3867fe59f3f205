"""The corridor of the ACR Transfer monitor: events, evidence, rules, diagnosis, findings, sinks.

``function_app.py``, the sweep and the command line are the doors into it.
"""
