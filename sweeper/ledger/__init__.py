"""The truth of every sweep: one transactional store."""
