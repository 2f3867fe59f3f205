"""Blob storage: Azurite, and before it the front that adds what Azurite lacks."""
