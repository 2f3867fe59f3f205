"""Proofs that take minutes: every dependency failing in every way, and a long run under load."""
