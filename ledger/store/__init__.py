"""What is on disk. The only folder that knows sqlalchemy and the eventsourcing library."""
