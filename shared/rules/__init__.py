"""The rules, one module per family. Each is a pure function of evidence; nothing here asks Azure."""
