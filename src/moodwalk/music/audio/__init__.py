"""What a piece of music is, measured from its sound."""
