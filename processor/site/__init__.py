"""The site: static pages that work from a disk, without scripts, and name the source of every number."""
