"""The vocals of one song over the instruments of another: matched, planned as data, rendered, and checked."""
