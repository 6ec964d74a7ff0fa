"""Who may do what, who may see whom, and the log of who looked at what."""
