"""From a run's message and the rules' verdicts to exactly one root cause."""
