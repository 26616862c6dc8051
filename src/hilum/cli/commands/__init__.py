"""The commands: typed signatures that tyro reads; what they need is imported inside."""
