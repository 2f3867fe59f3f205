"""What is known when a run, a blob or a pipeline is looked at: gathered once, then only read."""
