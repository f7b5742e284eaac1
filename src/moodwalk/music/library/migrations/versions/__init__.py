"""One file a version. A version that was released does not change."""
