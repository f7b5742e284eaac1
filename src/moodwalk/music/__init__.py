"""Music that fits the walk: a library, what to play from it, and players."""
