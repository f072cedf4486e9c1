"""The rules, one module an area."""
