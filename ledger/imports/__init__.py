"""Lists of other systems become events, by a profile and through the public API."""
