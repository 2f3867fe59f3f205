"""One reader per service; the only room that imports the Azure SDKs. Nothing here knows rules."""
