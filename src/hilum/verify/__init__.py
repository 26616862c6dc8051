"""Every number of a study recomputed from what it claims to rest on."""
