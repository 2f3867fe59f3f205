"""The command line of the ACR Transfer monitor."""
