"""What one owner may see: read models for the portal and the API, limited by row level security."""
