"""How right the analysers are, on recordings whose truth somebody knows: `python -m tests.accuracy MANIFEST`."""
