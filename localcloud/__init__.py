"""A small Azure on loopback, in which ACR Transfer really transfers. For the demo, tests and benchmarks.

It is a fake, apart from Azurite, which is Microsoft's own storage emulator.
"""
