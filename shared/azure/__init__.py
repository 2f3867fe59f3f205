"""One reader or writer per service; the only room that imports the Azure SDKs. Nothing here knows rules."""
