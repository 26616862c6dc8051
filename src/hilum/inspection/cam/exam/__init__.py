"""The exam of a heat map: does it depend on the network, does it mark what counts, where does it lie."""
