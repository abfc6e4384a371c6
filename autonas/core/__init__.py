"""Pure data and maths that every floor above shares; no torch, nothing heavy at import."""
