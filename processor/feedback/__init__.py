"""The mix desk: from a record to advice, checks, comparisons and words."""
