"""Prompts for music generators, composed from what was measured, and what became of them."""
