"""Liner Notes: drop a mix into a folder, read its report.

The rooms, from the door inwards, are listed in the README; imports go down that list only.
"""

__version__ = "0.1.0"
